//! `styleforge stylize`: paints every photo in every style; one bad file does not stop the others.

use std::{borrow::Cow, cell::Cell, fmt::Display, fs, io::stdin, path::Path, sync::Arc};

use super::{
    CliError,
    args::StylizeArgs,
    interrupt::cancel_on_interrupt,
    job::{Job, Source, Target, WantedStyle},
    painter,
    progress::Progress,
    select_device,
    style_choice::{ChosenStyle, choose},
    terminal::{print, print_bytes, tell},
};
use crate::{
    backend::{Backend, RunControl},
    engine::paint::{OutputSize, Painter, at_size},
    frame::Frame,
    media::{
        MediaError,
        decode::{self, Photo},
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
        encode::check_folder(folder).map_err(|e| CliError::WrongUse(e.to_string()))?;
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
            opened.extend(self.open(source, row));
        }
        let styles = self.styles;
        for (index, style) in styles.iter().enumerate() {
            self.paint_style(&opened, index, style)?;
        }
        Ok(())
    }

    /// Reads one photo. What cannot be written is not painted, and when nothing can, the photo is
    /// not even read.
    fn open<'a>(&mut self, source: &Source, row: &'a [Target]) -> Option<Opened<'a>> {
        let mut targets = Vec::new();
        for target in row {
            let checked = check(target, self.job);
            if let Err(error) = &checked {
                self.fail(error);
            }
            targets.push(checked.is_ok().then_some(target));
        }
        let writable = targets.iter().flatten().count();
        if writable == 0 {
            return None;
        }
        match read(source, self.job.look.strength_percent == 0) {
            Ok((photo, original)) => Some(Opened {
                photo,
                original,
                targets,
                told: Cell::new(false),
            }),
            Err(error) => {
                self.begun += writable;
                self.failures += writable;
                self.progress.tell(format!("error: {error}"));
                None
            }
        }
    }

    /// Paints the photos in one style, which is number `index`.
    fn paint_style(
        &mut self,
        opened: &[Opened<'_>],
        index: usize,
        style: &ChosenStyle,
    ) -> Result<(), CliError> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for photo in opened {
            let Some(target) = photo.targets[index] else {
                continue;
            };
            self.stop_if_asked()?;
            // A photo that no network sees is done at once; the others wait for those of their size.
            match self.unpainted(photo, style, target) {
                Ok(Some(finished)) => self.deliver(photo, target, &finished)?,
                Ok(None) => match self.working_size(photo, style) {
                    Ok(size) => match groups.iter_mut().find(|group| group.size == size) {
                        Some(group) => group.photos.push((photo, target)),
                        None => groups.push(Group {
                            size,
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
                painter.paint_batch(&frames, job.batch, &style.network, job.paint, control)
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
            let finished = Finished::Picture(Cow::Owned(picture), format_for(photo, target));
            self.deliver(opened, target, &finished)?;
        }
        Ok(())
    }

    /// Writes a result, and counts it; a failure is told. Only a stop is an error.
    fn deliver(
        &mut self,
        opened: &Opened<'_>,
        target: &Target,
        finished: &Finished<'_>,
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
        finished: &Finished<'_>,
    ) -> Result<(), CliError> {
        let photo = &opened.photo;
        // What was lost in reading the photo is not lost in a copy of its file.
        if let Finished::Picture(..) = finished
            && !opened.told.replace(true)
        {
            for note in &photo.notes {
                self.progress.tell(format!("note: {}: {note}", photo.name));
            }
        }
        for note in write(finished, photo, target, self.job)? {
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
    ) -> Result<Option<Finished<'a>>, CliError> {
        let Some(original) = &opened.original else {
            return Ok(None);
        };
        let frame = &opened.photo.frame;
        let format = format_for(&opened.photo, target);
        Ok(Some(match self.job.output_size {
            OutputSize::Original if decode::format_of_bytes(original) == Some(format) => {
                Finished::Original(original)
            }
            OutputSize::Original => Finished::Picture(Cow::Borrowed(frame), format),
            OutputSize::Working => {
                let (width, height) = self.working_size(opened, style)?;
                Finished::Picture(at_size(frame, width, height), format)
            }
        }))
    }

    /// Columns and rows at which the style's network would see the photo.
    fn working_size(
        &self,
        opened: &Opened<'_>,
        style: &ChosenStyle,
    ) -> Result<(usize, usize), CliError> {
        let frame = &opened.photo.frame;
        self.painter
            .working_size(
                &style.network,
                frame.width(),
                frame.height(),
                self.job.paint,
            )
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

/// Reads a photo, and keeps its file when `keep` says so.
fn read(source: &Source, keep: bool) -> Result<(Photo, Option<Vec<u8>>), MediaError> {
    let bytes = match source {
        Source::File(path) => decode::bytes_of_path(path),
        Source::Stdin => decode::bytes_of_reader("standard input", stdin().lock()),
    }?;
    let photo = decode::from_bytes(&source.name(), &bytes)?;
    Ok((photo, keep.then_some(bytes)))
}

/// Writes a result and gives notes on what its format could not hold.
fn write(
    finished: &Finished<'_>,
    photo: &Photo,
    target: &Target,
    job: &Job,
) -> Result<Vec<String>, CliError> {
    let encoding = |format| Encoding {
        format,
        jpeg_quality: job.jpeg_quality,
    };
    let icc = photo.icc.as_deref();
    let Target::File(path, _) = target else {
        let (bytes, notes) = match finished {
            Finished::Original(bytes) => (Cow::Borrowed(*bytes), Vec::new()),
            Finished::Picture(frame, format) => {
                let name = "standard output";
                let (bytes, notes) = encode::to_bytes(name, frame, icc, encoding(*format))
                    .map_err(|e| failed(photo, &e))?;
                (Cow::Owned(bytes), notes)
            }
        };
        print_bytes(&bytes)?;
        return Ok(notes);
    };
    if let Some(folder) = job.folder() {
        fs::create_dir_all(folder).map_err(|e| {
            CliError::Failed(format!(
                "the folder {} could not be created: {e}",
                folder.display()
            ))
        })?;
    }
    let notes = match finished {
        Finished::Original(bytes) => {
            encode::save_bytes(path, bytes, job.existing).map(|()| Vec::new())
        }
        Finished::Picture(frame, format) => {
            encode::save(path, frame, icc, encoding(*format), job.existing)
        }
    }
    .map_err(|e| failed(photo, &e))?;
    // The list of what was written is a courtesy; the files are the work.
    print(&format!("{}\n", path.display())).ok();
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
