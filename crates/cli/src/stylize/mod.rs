//! `styleforge stylize`: paints every photo in every style. A bad file does not stop the others.

mod contact_sheet;
mod dry_run;
mod film;
mod memory;
mod output;
mod shared;
mod watch;

use std::{
    borrow::Cow,
    cell::Cell,
    collections::HashSet,
    fmt::Display,
    io::stdin,
    path::Path,
    sync::{Arc, Mutex},
};

use itertools::Itertools;
use serde_json::{Value, json};

use memory::{OpenBytes, Reserved, held_bytes, open_bytes};
use output::{Finished, check, failed, format_for, texts};
use watch::Watch;

use super::{
    CliError, SharedDevices,
    args::StylizeArgs,
    attention,
    interrupt::{interruptible, unless_cancelled},
    job::{Job, JobStyle, PhotoInput, PhotoSource, Target},
    modes,
    progress::Progress,
    style_choice::{choose_as, of_look, of_pictures},
    terminal::{write_message, write_note},
    wrong_use,
};
use backend::RunControl;
use engine::{
    network_choice::ChosenNetwork,
    paint::{PROGRAM_BYTES, PaintSettings, Painters, frame_bytes},
};
use media::{film::frame_of, memory::limit_bytes};
use network::Network;
use pictures::{
    MediaError,
    decode::{self, Needs, Photo},
    encode::Picture,
    folder::is_film,
    metadata::Metadata,
};
use values::{disk, frame::Frame, lock::lock};
use weights::{StyleLibrary, bytes_in_hex};

/// # Errors
/// [`CliError::WrongUse`] before anything is painted; [`CliError::AlreadyReported`] if some photos or styles failed;
/// [`CliError::Stopped`] after Ctrl-C.
pub fn run(args: StylizeArgs) -> Result<(), CliError> {
    let library = StyleLibrary::standard();
    let names: Vec<String> = library.styles().iter().map(|s| s.id.clone()).collect();
    let job = Job::new(args, &names)?;
    let (styles, broken) = usable_styles(&library, &job)?;
    let labels: Vec<String> = if job.args.contact_sheet {
        vec![contact_sheet::LABEL.to_owned()]
    } else {
        styles.iter().map(|s| s.label.clone()).collect()
    };
    let (targets, film_targets) = job.targets(&labels, &mut HashSet::new())?;
    if let Some(folder) = job.folder() {
        disk::check_folder(folder).map_err(CliError::wrong_use)?;
    }
    let photos: usize = targets.iter().map(Vec::len).sum();
    let progress = Progress::new(photos);
    let progress = if job.args.quiet { Progress::quiet() } else { progress };
    job.notes.iter().for_each(|note| progress.note(note));
    let rows = targets.iter().map(Vec::len).chain(film_targets.iter().map(Vec::len));
    let paintings = rows.filter(|targets| *targets == 0).count();
    if paintings > 0 {
        progress
            .note(format!("not painted, because they are paintings of other inputs: {paintings}"));
    }
    let devices = SharedDevices::open(&job.args.painting.device, &job.args.sharing)?;
    if !job.args.quiet {
        devices.announce();
    }
    announce_mode(&devices, &job, &styles)?;

    let painters = devices.painters(&job.args.painting.device);
    if job.args.watch {
        let failures = Watch::new(job, &styles, &labels, &painters).run()?;
        return if failures + broken > 0 { Err(CliError::AlreadyReported) } else { Ok(()) };
    }
    let control = interruptible();
    let mut run = Run {
        progress,
        painters: &painters,
        job: &job,
        styles: &styles,
        control,
        open_bytes: OpenBytes::unlimited(),
        failures: 0,
        skipped: 0,
        noted: Arc::default(),
    };
    let done =
        if job.args.dry_run { run.plan_photos(&targets) } else { run.paint_photos(&targets) };
    run.progress.finish();
    done?;
    run.paint_films(&film_targets)?;
    let all = photos + film_targets.iter().map(Vec::len).sum::<usize>();
    let what = if job.args.contact_sheet { "photos" } else { "paintings" };
    if run.skipped > 0 && !job.args.quiet {
        write_message(format!("{} of {all} {what} already exist", run.skipped));
    }
    if run.failures > 0 && all > 1 {
        write_message(format!("{} of {all} {what} failed", run.failures));
    }
    if run.failures + broken > 0 { Err(CliError::AlreadyReported) } else { Ok(()) }
}

/// Refuses a mode that a device does not support, and prints the precision if it is not the usual one.
fn announce_mode(
    devices: &SharedDevices,
    job: &Job,
    styles: &[ChosenNetwork],
) -> Result<(), CliError> {
    let backends = devices.backends();
    let backend = backends[0];
    let networks: Vec<(&str, &Network)> =
        (styles.iter()).map(|style| (style.label.as_str(), style.network.as_ref())).collect();
    let chosen = [job.paint.mode.attention];
    attention::announce(backend.device().kind, &chosen, &networks);
    let mode = backend.mode(job.paint.mode);
    // If any style has attention, the mode names the attention kernel.
    let with_attention = (networks.iter()).find(|(_, network)| network.graph().has_attention());
    let mode = with_attention.or(networks.first()).map_or(mode, |(_, n)| n.mode(mode));
    backends.iter().try_for_each(|backend| backend.supports(mode))?;
    if !job.args.quiet {
        modes::announce(job.paint.mode.precision, mode);
    }
    Ok(())
}

/// The styles to paint in, and how many styles of `all` are broken. Broken ones are reported. A style that was chosen
/// by name must be usable.
fn usable_styles(
    library: &StyleLibrary,
    job: &Job,
) -> Result<(Vec<ChosenNetwork>, usize), CliError> {
    let model = job.args.painting.model;
    let mut usable: Vec<ChosenNetwork> =
        of_pictures(&job.args.pictures, job.args.start, model)?.into_iter().collect();
    if let Some(look) = job.args.styling_look() {
        usable.push(of_look(look, library, model.or(look.painted.model))?);
    }
    let mut broken = 0;
    for JobStyle { typed, from_all } in &job.styles {
        match choose_as(library, typed, model, job.args.pixels.choice()) {
            Ok(style) => usable.push(style),
            Err(error) if *from_all => {
                // A style of `all` that does not have the chosen size is skipped; this is not a failure.
                broken += usize::from(matches!(error, CliError::Unusable(_)));
                let name = Path::new(typed).display();
                write_note(format_args!("skipped the style {name}: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    if usable.is_empty() {
        return wrong_use(
            "no style to paint in; choose one that styleforge styles lists, or a file of weights",
        );
    }
    let margin = job.args.painting.margin;
    Ok((usable.into_iter().map(|style| style.with_margin(margin)).collect(), broken))
}

/// A photo whose file was read and whose pixels are not decoded yet.
struct Closed<'a> {
    name: String,
    bytes: Vec<u8>,
    needs: Needs,
    targets: Vec<Option<&'a Target>>,
}

impl Closed<'_> {
    /// Width and height.
    fn size(&self) -> (usize, usize) {
        (self.needs.width, self.needs.height)
    }
}

/// A decoded photo.
struct Opened<'a> {
    photo: Photo,
    /// The file's bytes, if the result may be identical to the file.
    original: Option<Vec<u8>>,
    /// Its target in each style; `None` if it cannot be written.
    targets: Vec<Option<&'a Target>>,
    has_printed_notes: Cell<bool>,
    has_failed: Cell<bool>,
    _reserved: Option<Reserved>,
}

/// Photos of one working size, and the target of each in the current style.
struct Group<'a> {
    size: (usize, usize),
    photos: Vec<(&'a Opened<'a>, &'a Target)>,
}

struct Run<'a> {
    job: &'a Job,
    styles: &'a [ChosenNetwork],
    painters: &'a Painters,
    progress: Progress,
    control: Arc<RunControl>,
    /// The memory of the photos that all threads have open.
    open_bytes: Arc<OpenBytes>,
    /// Paintings that failed; for contact sheets, photos with any failure.
    failures: usize,
    /// Paintings that existed and are not painted again.
    skipped: usize,
    /// The notes about styles that were printed.
    noted: Arc<Mutex<Vec<String>>>,
}

impl Opened<'_> {
    /// Width and height.
    fn size(&self) -> (usize, usize) {
        self.photo.frame.size()
    }

    /// Bytes of the file, if kept.
    fn file_bytes(&self) -> u64 {
        self.original.as_ref().map_or(0, |o| o.len() as u64)
    }
}

impl<'a> Run<'a> {
    /// Paints photos in every style, those of one working size at once. Failures are reported and counted; cancelling
    /// is the only error.
    fn paint_sources(
        &mut self,
        sources: &[PhotoSource],
        targets: &[Vec<Target>],
    ) -> Result<(), CliError> {
        let mut opened = Vec::new();
        for (source, row) in sources.iter().zip(targets) {
            self.stop_if_cancelled()?;
            let Some(closed) = self.read(&source.input, row)? else {
                continue;
            };
            // A photo is never painted smaller to make room for others.
            let bytes = open_bytes(&closed);
            let mut reserved = self.open_bytes.reserve(bytes, opened.is_empty());
            let fits = || reserved.is_some() && self.fits_with(&opened, &closed);
            if !opened.is_empty() && !fits() {
                self.paint_opened(&opened)?;
                opened.clear();
                reserved = reserved.or_else(|| self.open_bytes.reserve(bytes, true));
            }
            opened.extend(self.open(closed, held_bytes(&opened), reserved)?);
        }
        self.paint_opened(&opened)
    }

    /// Paints photos in every style.
    fn paint_opened(&mut self, opened: &[Opened<'_>]) -> Result<(), CliError> {
        if self.job.args.contact_sheet {
            return opened.iter().try_for_each(|photo| self.paint_sheet(photo));
        }
        (self.styles.iter().enumerate())
            .try_for_each(|(index, style)| self.paint_style(opened, index, style))
    }

    /// Reads one photo's file. Paintings that cannot be written are not made; if none can be written, the photo is not
    /// read. Cancelling is the only error.
    fn read<'b>(
        &mut self,
        source: &PhotoInput,
        row: &'b [Target],
    ) -> Result<Option<Closed<'b>>, CliError> {
        let name = source.name();
        let mut targets = Vec::new();
        for target in row {
            let exists = target.file.as_ref().is_some_and(|path| path.exists());
            let is_done = self.job.args.skip_existing && exists;
            let refused = if is_done { None } else { check(target, self.job).err() };
            let is_left_out = is_done || refused.is_some();
            if is_left_out {
                self.progress.skip(1);
                self.skipped += usize::from(is_done);
                self.failures += usize::from(!is_done);
                self.report(&name, target, refused.as_deref().map_or(Ok("skipped"), Err));
            }
            targets.push((!is_left_out).then_some(target));
        }
        if targets.iter().all(Option::is_none) {
            return Ok(None);
        }
        // A pipe blocks until it has a writer, possibly forever.
        let (source, start) = (source.clone(), self.job.args.start);
        let deinterlaces = self.job.deinterlaces();
        let limit = limit_bytes(self.max_memory_bytes());
        let file = unless_cancelled(&self.control, move || {
            let bytes = bytes_of(&source, start, deinterlaces, limit)?;
            let needs = decode::needs(&source.name(), &bytes)?;
            Ok::<_, MediaError>((bytes, needs))
        })?;
        Ok(match file {
            Ok((bytes, needs)) => Some(Closed { name, bytes, needs, targets }),
            Err(error) => {
                self.fail_all(&name, &targets, &error);
                None
            }
        })
    }

    /// Decodes one photo while other photos occupy `held_bytes`. Cancelling is the only error.
    fn open<'b>(
        &mut self,
        closed: Closed<'b>,
        held_bytes: u64,
        reserved: Option<Reserved>,
    ) -> Result<Option<Opened<'b>>, CliError> {
        let frame = frame_bytes(closed.size());
        let Closed { name, bytes, needs, targets } = closed;
        let taken = PROGRAM_BYTES + held_bytes + bytes.len() as u64;
        let (paint, framing) = (self.job.paint, self.job.framing);
        let copy = if framing.is_plain() { 0 } else { 2 * frame };
        let limit = self.painters.with(|painter| {
            painter.make_room(taken + copy + needs.bytes, paint);
            painter.program_limit_bytes(paint)
        });
        let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(taken + copy));
        let (decoded, name, bytes) = unless_cancelled(&self.control, move || {
            (decode::from_bytes_within(&name, &bytes, left), name, bytes)
        })?;
        let framed = decoded.map_err(|e| e.to_string()).and_then(|mut photo| {
            if !framing.is_plain() {
                let framed = framing.applied(&photo.frame);
                photo.frame = Arc::new(framed.map_err(|e| format!("{}: {e}", photo.name))?);
            }
            if self.job.args.strip_metadata {
                photo.metadata = Metadata::default();
            } else if self.job.args.strip_location {
                photo.notes.extend(photo.metadata.strip_location());
            }
            if is_film(Path::new(&name)) {
                let frame = match self.job.args.start {
                    Some(start) => format!("the frame at {start} s"),
                    None => "its first frame".to_owned(),
                };
                let note = "is painted; a name that ends in .mp4 paints all of it";
                photo.notes.push(format!("{frame} {note}"));
            }
            photo.notes.extend(self.job.args.output_size.note(photo.frame.size()));
            Ok(photo)
        });
        Ok(match framed {
            Ok(photo) => Some(Opened {
                original: (self.job.keeps_files() && !photo.is_hdr).then_some(bytes),
                photo,
                targets,
                has_printed_notes: Cell::new(false),
                has_failed: Cell::new(false),
                _reserved: reserved,
            }),
            Err(error) => {
                self.fail_all(&name, &targets, &error);
                None
            }
        })
    }

    /// Reports why a photo cannot be painted in any style.
    fn fail_all(&mut self, name: &str, targets: &[Option<&Target>], error: &dyn Display) {
        let writable = targets.iter().flatten().count();
        let paintings = if self.job.args.contact_sheet { self.styles.len() } else { 1 };
        self.progress.skip(writable * paintings);
        self.failures += writable;
        self.progress.message(format!("error: {error}"));
        for target in targets.iter().flatten() {
            self.json_line(name, target, Err(&error.to_string()));
        }
    }

    /// Paints the photos in the style with number `index`.
    fn paint_style(
        &mut self,
        opened: &[Opened<'_>],
        index: usize,
        style: &'a ChosenNetwork,
    ) -> Result<(), CliError> {
        let settings = self.settings(opened);
        let mut groups: Vec<Group<'_>> = Vec::new();
        for photo in opened {
            let Some(target) = photo.targets[index] else {
                continue;
            };
            self.stop_if_cancelled()?;
            // Photos at strength 0 need no network and are finished at once. The others are grouped by size.
            let finished = self.unpainted(photo, style, target, settings);
            let size = match finished {
                Ok(Some(finished)) => {
                    self.progress.skip(1);
                    self.deliver(photo, target, finished)?;
                    continue;
                }
                Ok(None) => self.working_size(photo, style, settings),
                Err(error) => Err(error),
            };
            match size {
                Ok(size) => match groups.iter_mut().find(|group| group.size == size) {
                    Some(group) => group.photos.push((photo, target)),
                    None => groups.push(Group { size, photos: vec![(photo, target)] }),
                },
                Err(error) => {
                    self.progress.skip(1);
                    self.fail_in(photo, target, error);
                }
            }
        }
        for group in &groups {
            let note = self.painters.with(|p| p.time_note(&style.network, group.size));
            if let Some(note) = note {
                self.progress.note(format!("{}: {note}", style.title));
            }
            self.paint_group(group, style, settings)?;
        }
        Ok(())
    }

    /// Paints photos of one working size and writes the results.
    fn paint_group(
        &mut self,
        group: &Group<'_>,
        style: &'a ChosenNetwork,
        settings: PaintSettings,
    ) -> Result<(), CliError> {
        self.stop_if_cancelled()?;
        let (job, painters, control) = (self.job, self.painters, &self.control);
        let frames: Vec<&Arc<Frame>> = group.photos.iter().map(|(o, _)| &o.photo.frame).collect();
        let names = group.photos.iter().map(|(o, _)| &o.photo.name).join(", ");
        let painted = self.progress.during(frames.len(), &names, control, || {
            painters.paint(|painter| {
                let (batch, network) = (job.args.batch, &style.network);
                let paintings = painter.paint_batch(&frames, batch, network, settings, control)?;
                Ok((paintings, painter.backend().device().name.clone()))
            })
        });
        self.progress.notes(self.painters.take_notices());
        let (paintings, device) = match painted {
            Ok(painted) => painted,
            Err(error) if error.is_cancelled() => return Err(CliError::Stopped),
            Err(error) => {
                for (opened, target) in &group.photos {
                    self.fail_in(opened, target, failed(&opened.photo, &error));
                }
                return Ok(());
            }
        };
        self.note_style(style);
        for ((opened, target), mut painting) in group.photos.iter().zip(paintings) {
            let photo = &opened.photo;
            self.progress.notes_on(&photo.name, &painting.notes);
            let format = format_for(photo, target);
            let size = job.args.output_size;
            let finished = size.resolve(photo.frame.size(), painting.painted.size());
            let mask = job.stylization.mask.as_ref().map(|mask| mask.at(finished));
            let blend = job.stylization.blend(mask.as_deref());
            let texts = if job.args.strip_metadata {
                Vec::new()
            } else {
                texts(style, &painting, job, device.clone())
            };
            let picture = match painting.finished_deep(&photo.frame, size, blend) {
                Some(deep) => Picture::Deep(deep),
                None => {
                    Picture::Frame(Cow::Owned(painting.into_finished(&photo.frame, size, blend)))
                }
            };
            let finished = Finished::Picture(picture, format, texts);
            self.deliver(opened, target, finished)?;
        }
        Ok(())
    }

    /// Width and height of the style network's input for the photo.
    fn working_size(
        &self,
        opened: &Opened<'_>,
        style: &ChosenNetwork,
        settings: PaintSettings,
    ) -> Result<(usize, usize), CliError> {
        let (network, photo) = (&style.network, &opened.photo.frame);
        self.painters
            .with(|painter| painter.working_size(network, photo, settings, &self.control))
            .map(|(size, _)| size)
            .map_err(|e| failed(&opened.photo, &e))
    }

    /// Prints the note about a style once something was painted in it.
    fn note_style(&mut self, style: &'a ChosenNetwork) {
        let mut noted = lock(&self.noted);
        for note in &style.notes {
            if !noted.contains(note) {
                noted.push(note.clone());
                self.progress.note(note);
            }
        }
    }

    /// Reports and counts a failure of an opened photo: per painting, or once per photo for contact sheets.
    fn fail_in(&mut self, opened: &Opened<'_>, target: &Target, error: impl Display) {
        let has_failed = opened.has_failed.replace(true);
        self.failures += usize::from(!(self.job.args.contact_sheet && has_failed));
        self.report(&opened.photo.name, target, Err(&error.to_string()));
    }

    /// Reports what became of a painting: its status, or an error.
    fn report(&self, input: &str, target: &Target, outcome: Result<&str, &str>) {
        if let Err(error) = outcome {
            self.progress.message(format!("error: {error}"));
        }
        self.json_line(input, target, outcome);
    }

    /// Prints a line of JSON for the painting of a photo, if these were requested.
    fn json_line(&self, input: &str, target: &Target, outcome: Result<&str, &str>) {
        let mut line = json!({ "status": outcome.unwrap_or("failed") });
        if let Err(error) = outcome {
            line["error"] = error.into();
        }
        self.print_line(input, &target.label, target.path(), line);
    }

    /// Prints a line of JSON about what became of an input, if these were requested.
    fn print_line(&self, input: &str, style: &str, output: &Path, mut line: Value) {
        if !self.job.args.json {
            return;
        }
        line["input"] = input.into();
        line["style"] = style.into();
        line["output"] = output.display().to_string().into();
        if let Some(bytes) = bytes_in_hex(output) {
            line["output_bytes"] = bytes.into();
        }
        // Failing to print it is not a failure: the file is written.
        self.progress.print(line).ok();
    }

    /// The chosen limit of memory, if it is that of the whole program.
    fn max_memory_bytes(&self) -> Option<u64> {
        let limit = self.painters.with(|painter| painter.program_limit_bytes(self.job.paint));
        limit.and(self.job.paint.max_memory_bytes)
    }

    fn stop_if_cancelled(&self) -> Result<(), CliError> {
        if self.control.is_cancelled() { Err(CliError::Stopped) } else { Ok(()) }
    }
}

/// The bytes of a picture, or of the frame of a video at `start` seconds.
fn bytes_of(
    source: &PhotoInput,
    start: Option<f64>,
    deinterlaces: bool,
    limit_bytes: u64,
) -> Result<Vec<u8>, MediaError> {
    match source {
        PhotoInput::File(path) => frame_of(path, start, deinterlaces, limit_bytes)
            .unwrap_or_else(|| decode::bytes_of_path(path)),
        PhotoInput::Stdin => decode::bytes_of_reader("standard input", stdin().lock()),
    }
}
