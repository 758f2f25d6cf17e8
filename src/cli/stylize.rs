//! `styleforge stylize`: paints every photo in every style; one bad file does not stop the others.

use std::{borrow::Cow, cell::Cell, fmt::Display, io::stdin, path::Path, sync::Arc};

use super::{
    CliError,
    args::StylizeArgs,
    interrupt::{cancel_on_interrupt, unless_cancelled},
    job::{Job, Source, Target, WantedStyle},
    painter,
    progress::Progress,
    select_device,
    style_choice::{ChosenStyle, choose},
    terminal::{print_bytes, tell},
};
use crate::{
    backend::{Backend, RunControl},
    disk,
    engine::paint::{
        OutputSize, PROGRAM_BYTES, PaintError, PaintSettings, Painter, at_size, frame_bytes,
    },
    frame::Frame,
    media::{
        MediaError,
        decode::{self, Needs, Photo},
        encode::{self, Encoding, Format},
    },
    mode::{Precision, PrecisionChoice},
    weights::StyleLibrary,
};

/// Paints what was asked for.
///
/// # Errors
/// [`CliError::WrongUse`] before anything is painted; [`CliError::AlreadyTold`] when some photos or
/// styles failed; [`CliError::Stopped`] after Ctrl-C.
pub fn run(args: StylizeArgs) -> Result<(), CliError> {
    let library = StyleLibrary::standard();
    let names: Vec<String> = library.styles().iter().map(|s| s.id.clone()).collect();
    let job = Job::new(args, &names)?;
    let (styles, broken) = usable_styles(&library, &job)?;
    let labels: Vec<String> = styles.iter().map(|s| s.label.clone()).collect();
    let targets = job.targets(&labels)?;
    if let Some(folder) = job.folder() {
        disk::check_folder(folder).map_err(|e| CliError::WrongUse(e.to_string()))?;
    }
    for note in &job.notes {
        tell(format!("note: {note}"));
    }
    let selected = select_device(&job.device)?;
    announce_mode(selected.backend.as_ref(), &job)?;
    for note in styles.iter().filter_map(|s| s.note.as_ref()) {
        tell(format!("note: {note}"));
    }

    let control = Arc::new(RunControl::default());
    cancel_on_interrupt(&control);
    let mut run = Run {
        progress: Progress::new(job.sources.len() * styles.len()),
        painter: painter(selected, &job.device),
        job: &job,
        styles: &styles,
        control,
        begun: 0,
        failures: 0,
    };
    let done = job
        .sources
        .chunks(job.batch)
        .zip(targets.chunks(job.batch))
        .try_for_each(|(sources, rows)| run.paint_sources(sources, rows));
    run.progress.finish();
    done?;
    let all = job.sources.len() * styles.len();
    if run.failures > 0 && all > 1 {
        tell(format!("{} of {all} paintings failed", run.failures));
    }
    if run.failures + broken > 0 {
        return Err(CliError::AlreadyTold);
    }
    Ok(())
}

/// Refuses a mode that the device does not have, and says which precision was chosen where that is
/// not the usual one.
fn announce_mode(backend: &dyn Backend, job: &Job) -> Result<(), CliError> {
    let mode = backend.mode(job.paint.variant, job.paint.precision);
    backend.supports(mode)?;
    if job.paint.precision == PrecisionChoice::Auto && mode.precision != Precision::default() {
        tell(format!(
            "Painting in {mode}, the fastest that the device does well; --precision chooses another."
        ));
    }
    Ok(())
}

/// The styles to paint in, and how many of those that `all` stood for are broken. These are told
/// and left out; a style that was asked for by name must be usable.
fn usable_styles(library: &StyleLibrary, job: &Job) -> Result<(Vec<ChosenStyle>, usize), CliError> {
    let mut usable = Vec::new();
    let mut broken = 0;
    for WantedStyle { typed, from_all } in &job.styles {
        match choose(library, typed, job.model) {
            Ok(style) => usable.push(style),
            Err(error) if *from_all => {
                // A style without the size that was asked for is no failure: the size chooses.
                broken += usize::from(matches!(error, CliError::Unusable(_)));
                let name = Path::new(typed).display();
                tell(format!("note: the style {name} is left out: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    if usable.is_empty() {
        return Err(CliError::WrongUse(
            "there is no style to paint in; name one that styleforge styles lists, or give a file \
             of weights"
                .to_owned(),
        ));
    }
    Ok((usable, broken))
}

/// A photo whose file was read, before its pixels are decoded.
struct Closed<'a> {
    name: String,
    bytes: Vec<u8>,
    needs: Needs,
    targets: Vec<Option<&'a Target>>,
}

/// A photo that was read.
struct Opened<'a> {
    photo: Photo,
    /// The file itself, where the result may be the same file.
    original: Option<Vec<u8>>,
    /// Where it goes in each style; `None` where nothing can be written.
    targets: Vec<Option<&'a Target>>,
    /// Whether the notes about the photo have been told.
    told: Cell<bool>,
}

/// What is to be written for one photo in one style.
enum Finished<'a> {
    /// The photo's own bytes: at strength 0, nothing may be lost by reading and writing it.
    Original(&'a [u8]),
    Picture(Cow<'a, Frame>, Format),
}

/// Photos of one working size, and where each goes in the style in hand.
struct Group<'a> {
    size: (usize, usize),
    settings: PaintSettings,
    photos: Vec<(&'a Opened<'a>, &'a Target)>,
}

struct Run<'a> {
    job: &'a Job,
    styles: &'a [ChosenStyle],
    painter: Painter,
    progress: Progress,
    control: Arc<RunControl>,
    /// Paintings begun, failed ones included.
    begun: usize,
    failures: usize,
}

impl Opened<'_> {
    /// Columns and rows.
    fn size(&self) -> (usize, usize) {
        (self.photo.frame.width(), self.photo.frame.height())
    }

    /// Bytes of the file, where it is kept.
    fn file_bytes(&self) -> u64 {
        self.original.as_ref().map_or(0, |o| o.len() as u64)
    }
}

/// Bytes that photos hold.
fn held_bytes(opened: &[Opened<'_>]) -> u64 {
    let bytes = |photo: &Opened<'_>| {
        let (width, height) = photo.size();
        frame_bytes(width, height) + photo.file_bytes()
    };
    opened.iter().map(bytes).sum()
}

/// Most memory that writing a result of `pixels` pixels takes besides it.
fn saving_bytes(photo: &Photo, target: &Target, pixels: usize, given_away: bool) -> u64 {
    let pixels = pixels as u64;
    let encoding = encode::encoding_bytes(format_for(photo, target), pixels, given_away);
    match target {
        Target::File(..) => encoding,
        // Standard output is given a finished file, which is no larger than the picture.
        Target::Stdout(_) => encoding + 4 * pixels,
    }
}

impl Run<'_> {
    /// Paints some photos in every style, those of one working size at once. Failures are told and
    /// counted; only a stop is an error.
    fn paint_sources(
        &mut self,
        sources: &[Source],
        targets: &[Vec<Target>],
    ) -> Result<(), CliError> {
        let mut opened = Vec::new();
        for (source, row) in sources.iter().zip(targets) {
            self.stop_if_asked()?;
            let Some(closed) = self.read(source, row)? else {
                continue;
            };
            // A photo is never painted smaller for the sake of others.
            if !opened.is_empty() && !self.fits_beside(&opened, &closed) {
                self.paint_opened(&opened)?;
                opened.clear();
            }
            let photo = self.open(closed, held_bytes(&opened));
            opened.extend(photo);
        }
        self.paint_opened(&opened)
    }

    /// Paints photos in every style.
    fn paint_opened(&mut self, opened: &[Opened<'_>]) -> Result<(), CliError> {
        let styles = self.styles;
        for (index, style) in styles.iter().enumerate() {
            self.paint_style(opened, index, style)?;
        }
        Ok(())
    }

    /// Whether one more photo stays within the memory limit together with those that are open.
    fn fits_beside(&self, opened: &[Opened<'_>], closed: &Closed<'_>) -> bool {
        let Some(limit) = self.painter.program_limit_bytes(self.job.paint) else {
            return true;
        };
        let size = (closed.needs.width, closed.needs.height);
        let working = |(width, height)| {
            let (width, height) = self.job.paint.working_size.resolve(width, height);
            2 * frame_bytes(width, height)
        };
        let sizes: Vec<_> = opened.iter().map(Opened::size).collect();
        let all: u64 = sizes.iter().copied().map(working).sum();
        let held = held_bytes(opened) + all;
        let reading = PROGRAM_BYTES + held + closed.bytes.len() as u64 + closed.needs.bytes;
        reading <= limit
            && self.styles.iter().all(|style| {
                sizes.iter().chain([&size]).all(|&(width, height)| {
                    let own = frame_bytes(width, height) + working((width, height));
                    let beside = frame_bytes(size.0, size.1) + working(size);
                    let settings = PaintSettings {
                        held_bytes: (held + beside).saturating_sub(own),
                        ..self.job.paint
                    };
                    self.painter
                        .fits_as_wanted(&style.network, (width, height), settings)
                })
            })
    }

    /// The settings for photos that are open together: what each finds taken by the others, and what
    /// saving takes.
    fn settings(&self, opened: &[Opened<'_>]) -> PaintSettings {
        let job = self.job;
        let resolved = |(width, height)| job.paint.working_size.resolve(width, height);
        let own = |photo: &Opened<'_>| {
            let (width, height) = photo.size();
            let working = resolved((width, height));
            frame_bytes(width, height) + 2 * frame_bytes(working.0, working.1)
        };
        let files: u64 = opened.iter().map(Opened::file_bytes).sum();
        let all: u64 = opened.iter().map(own).sum();
        let saving = |photo: &Opened<'_>| {
            let (width, height) = match job.output_size {
                OutputSize::Original => photo.size(),
                OutputSize::Working => resolved(photo.size()),
            };
            let saving = |target| saving_bytes(&photo.photo, target, width * height, true);
            photo.targets.iter().flatten().map(|&t| saving(t)).max()
        };
        PaintSettings {
            held_bytes: files + all - opened.iter().map(own).min().unwrap_or(0),
            saving_bytes: opened.iter().filter_map(saving).max().unwrap_or(0),
            ..job.paint
        }
    }

    /// Reads one photo's file. What cannot be written is not painted, and when nothing can, the
    /// photo is not even read. Only a stop is an error.
    fn read<'a>(
        &mut self,
        source: &Source,
        row: &'a [Target],
    ) -> Result<Option<Closed<'a>>, CliError> {
        let mut targets = Vec::new();
        for target in row {
            let checked = check(target, self.job);
            if let Err(error) = &checked {
                self.fail(error);
            }
            targets.push(checked.is_ok().then_some(target));
        }
        if targets.iter().all(Option::is_none) {
            return Ok(None);
        }
        let name = source.name();
        // A pipe is there as soon as someone writes to it, which may be never.
        let source = source.clone();
        let read = unless_cancelled(&self.control, move || bytes_of(&source))?;
        let file = read.and_then(|bytes| {
            let needs = decode::needs(&name, &bytes)?;
            Ok((bytes, needs))
        });
        Ok(match file {
            Ok((bytes, needs)) => Some(Closed {
                name,
                bytes,
                needs,
                targets,
            }),
            Err(error) => {
                self.fail_all(&targets, &error);
                None
            }
        })
    }

    /// Decodes one photo while `held_bytes` are taken by others.
    fn open<'a>(&mut self, closed: Closed<'a>, held_bytes: u64) -> Option<Opened<'a>> {
        let Closed {
            name,
            bytes,
            needs,
            targets,
        } = closed;
        let taken = PROGRAM_BYTES + held_bytes + bytes.len() as u64;
        let paint = self.job.paint;
        self.painter.make_room(taken + needs.bytes, paint);
        let limit = self.painter.program_limit_bytes(paint);
        let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(taken));
        match decode::from_bytes_within(&name, &bytes, left) {
            Ok(photo) => Some(Opened {
                photo,
                original: (self.job.look.strength_percent == 0).then_some(bytes),
                targets,
                told: Cell::new(false),
            }),
            Err(error) => {
                self.fail_all(&targets, &error);
                None
            }
        }
    }

    /// Tells why a photo is painted in no style.
    fn fail_all(&mut self, targets: &[Option<&Target>], error: &MediaError) {
        let writable = targets.iter().flatten().count();
        self.begun += writable;
        self.failures += writable;
        self.progress.tell(format!("error: {error}"));
    }

    /// Paints the photos in one style, which is number `index`.
    fn paint_style(
        &mut self,
        opened: &[Opened<'_>],
        index: usize,
        style: &ChosenStyle,
    ) -> Result<(), CliError> {
        let settings = self.settings(opened);
        let mut groups: Vec<Group<'_>> = Vec::new();
        for photo in opened {
            let Some(target) = photo.targets[index] else {
                continue;
            };
            self.stop_if_asked()?;
            // A photo that no network sees is done at once; the others wait for those of their size.
            match self.unpainted(photo, style, target, settings) {
                Ok(Some(finished)) => self.deliver(photo, target, finished)?,
                Ok(None) => match self.working_size(photo, style, settings) {
                    Ok(size) => match groups.iter_mut().find(|group| group.size == size) {
                        Some(group) => group.photos.push((photo, target)),
                        None => groups.push(Group {
                            size,
                            settings,
                            photos: vec![(photo, target)],
                        }),
                    },
                    Err(error) => self.fail(&error.to_string()),
                },
                Err(error) => self.fail(&error.to_string()),
            }
        }
        groups
            .iter()
            .try_for_each(|group| self.paint_group(group, style))
    }

    /// Paints photos of one working size and writes the results.
    fn paint_group(&mut self, group: &Group<'_>, style: &ChosenStyle) -> Result<(), CliError> {
        self.stop_if_asked()?;
        let (job, painter, control) = (self.job, &mut self.painter, &self.control);
        let frames: Vec<&Frame> = group
            .photos
            .iter()
            .map(|(o, _)| o.photo.frame.as_ref())
            .collect();
        let names: Vec<&str> = group
            .photos
            .iter()
            .map(|(o, _)| o.photo.name.as_str())
            .collect();
        let pieces = self.begun..self.begun + frames.len();
        let painted = self
            .progress
            .during(pieces, &names.join(", "), control, || {
                painter.paint_batch(&frames, job.batch, &style.network, group.settings, control)
            });
        for news in self.painter.take_news() {
            self.progress.tell(format!("note: {news}"));
        }
        let paintings = match painted {
            Ok(paintings) => paintings,
            Err(error) if error.is_cancelled() => return Err(CliError::Stopped),
            Err(error) => {
                for (opened, _) in &group.photos {
                    self.fail(&failed(&opened.photo, &error).to_string());
                }
                return Ok(());
            }
        };
        for ((opened, target), painting) in group.photos.iter().zip(paintings) {
            let photo = &opened.photo;
            for note in &painting.notes {
                self.progress.tell(format!("note: {}: {note}", photo.name));
            }
            let picture = painting.finished(&photo.frame, job.output_size, job.look);
            drop(painting);
            let finished = Finished::Picture(Cow::Owned(picture), format_for(photo, target));
            self.deliver(opened, target, finished)?;
        }
        Ok(())
    }

    /// Writes a result, and counts it; a failure is told. Only a stop is an error.
    fn deliver(
        &mut self,
        opened: &Opened<'_>,
        target: &Target,
        finished: Finished<'_>,
    ) -> Result<(), CliError> {
        self.stop_if_asked()?;
        match self.written(opened, target, finished) {
            Ok(()) => self.begun += 1,
            Err(stop @ CliError::Stopped) => return Err(stop),
            Err(CliError::NobodyReads) => {
                self.fail("standard output was closed before the picture was written");
            }
            Err(error) => self.fail(&error.to_string()),
        }
        Ok(())
    }

    /// Writes a result and tells what was lost on the way.
    fn written(
        &self,
        opened: &Opened<'_>,
        target: &Target,
        finished: Finished<'_>,
    ) -> Result<(), CliError> {
        let photo = &opened.photo;
        // What was lost in reading the photo is not lost in a copy of its file.
        if let Finished::Picture(..) = &finished
            && !opened.told.replace(true)
        {
            for note in &photo.notes {
                self.progress.tell(format!("note: {}: {note}", photo.name));
            }
        }
        for note in write(finished, photo, target, self.job, &self.progress)? {
            self.progress.tell(format!("note: {}: {note}", photo.name));
        }
        Ok(())
    }

    /// The result at strength 0, for which no network runs; `None` at any other strength.
    fn unpainted<'a>(
        &self,
        opened: &'a Opened<'_>,
        style: &ChosenStyle,
        target: &Target,
        settings: PaintSettings,
    ) -> Result<Option<Finished<'a>>, CliError> {
        let Some(original) = &opened.original else {
            return Ok(None);
        };
        let frame = &opened.photo.frame;
        let format = format_for(&opened.photo, target);
        self.check_copy(opened, target, settings)?;
        Ok(Some(match self.job.output_size {
            OutputSize::Original if decode::format_of_bytes(original) == Some(format) => {
                Finished::Original(original)
            }
            OutputSize::Original => Finished::Picture(Cow::Borrowed(frame), format),
            OutputSize::Working => {
                let (width, height) = self.working_size(opened, style, settings)?;
                Finished::Picture(at_size(frame, width, height), format)
            }
        }))
    }

    /// Checks that a photo can be written as it is within the memory limit. Of small ones, nobody
    /// asks.
    fn check_copy(
        &self,
        opened: &Opened<'_>,
        target: &Target,
        settings: PaintSettings,
    ) -> Result<(), CliError> {
        let (width, height) = opened.size();
        let copy = saving_bytes(&opened.photo, target, width * height, false);
        let needed = PROGRAM_BYTES + settings.held_bytes + frame_bytes(width, height) + copy;
        match self.painter.program_limit_bytes(settings) {
            Some(limit) if needed > limit && copy > PROGRAM_BYTES => {
                let error = PaintError::MemoryLimit {
                    needed_mb: needed.div_ceil(1_000_000),
                    limit_mb: limit / 1_000_000,
                };
                Err(failed(&opened.photo, &error))
            }
            _ => Ok(()),
        }
    }

    /// Columns and rows at which the style's network would see the photo.
    fn working_size(
        &self,
        opened: &Opened<'_>,
        style: &ChosenStyle,
        settings: PaintSettings,
    ) -> Result<(usize, usize), CliError> {
        self.painter
            .working_size(&style.network, &opened.photo.frame, settings)
            .map(|(size, _)| size)
            .map_err(|e| failed(&opened.photo, &e))
    }

    fn fail(&mut self, error: &str) {
        self.begun += 1;
        self.failures += 1;
        self.progress.tell(format!("error: {error}"));
    }

    fn stop_if_asked(&self) -> Result<(), CliError> {
        if self.control.is_cancelled() {
            return Err(CliError::Stopped);
        }
        Ok(())
    }
}

/// The format in which a photo is written to a target.
fn format_for(photo: &Photo, target: &Target) -> Format {
    match target {
        Target::Stdout(format) => format.unwrap_or(photo.natural_format),
        Target::File(_, format) => *format,
    }
}

fn bytes_of(source: &Source) -> Result<Vec<u8>, MediaError> {
    match source {
        Source::File(path) => decode::bytes_of_path(path),
        Source::Stdin => decode::bytes_of_reader("standard input", stdin().lock()),
    }
}

/// Writes a result and gives notes on what its format could not hold.
fn write(
    finished: Finished<'_>,
    photo: &Photo,
    target: &Target,
    job: &Job,
    progress: &Progress,
) -> Result<Vec<String>, CliError> {
    let encoding = |format| Encoding {
        format,
        jpeg_quality: job.jpeg_quality,
    };
    let icc = photo.icc.as_deref();
    let Target::File(path, _) = target else {
        let (bytes, notes) = match finished {
            Finished::Original(bytes) => (Cow::Borrowed(bytes), Vec::new()),
            Finished::Picture(frame, format) => {
                let name = "standard output";
                let (bytes, notes) = encode::to_bytes_reusing(name, frame, icc, encoding(format))
                    .map_err(|e| failed(photo, &e))?;
                (Cow::Owned(bytes), notes)
            }
        };
        print_bytes(&bytes)?;
        return Ok(notes);
    };
    if let Some(folder) = job.folder() {
        disk::make_folder(folder).map_err(|e| CliError::Failed(e.to_string()))?;
    }
    let notes = match finished {
        Finished::Original(bytes) => {
            encode::save_bytes(path, bytes, job.existing).map(|()| Vec::new())
        }
        Finished::Picture(frame, format) => {
            encode::save_reusing(path, frame, icc, encoding(format), job.existing)
        }
    }
    .map_err(|e| failed(photo, &e))?;
    // The list of what was written is a courtesy; the files are the work.
    progress.print(path.display()).ok();
    Ok(notes)
}

fn failed(photo: &Photo, error: &dyn Display) -> CliError {
    CliError::Failed(format!("{}: {error}", photo.name))
}

fn check(target: &Target, job: &Job) -> Result<(), String> {
    match target {
        // The folder is made when there is something to put into it.
        Target::File(..) if job.folder().is_some_and(|folder| !folder.exists()) => Ok(()),
        Target::File(path, _) => {
            encode::check_target(path, job.existing).map_err(|e| e.to_string())
        }
        Target::Stdout(_) => Ok(()),
    }
}
