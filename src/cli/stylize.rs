//! `styleforge stylize`: paints every photo in every style; one bad file does not stop the others.

use std::{borrow::Cow, fmt::Display, fs, io::stdin, path::Path, sync::Arc};

use super::{
    CliError,
    args::StylizeArgs,
    interrupt::cancel_on_interrupt,
    job::{Job, Source, Target, WantedStyle},
    progress::Progress,
    select_device,
    style_choice::{ChosenStyle, choose},
    terminal::{print, print_bytes, tell},
};
use crate::{
    backend::RunControl,
    engine::paint::{OutputSize, Painter, at_size},
    frame::Frame,
    media::{
        MediaError,
        decode::{self, Photo},
        encode::{self, Encoding, Format},
    },
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
    let selected = select_device(job.device.device, job.device.threads)?;
    for note in styles.iter().filter_map(|s| s.note.as_ref()) {
        tell(format!("note: {note}"));
    }

    let control = Arc::new(RunControl::default());
    cancel_on_interrupt(&control);
    let mut run = Run {
        progress: Progress::new(job.sources.len() * styles.len()),
        painter: Painter::new(selected.backend),
        job: &job,
        styles: &styles,
        control,
        begun: 0,
        failures: 0,
    };
    let done = job
        .sources
        .iter()
        .zip(&targets)
        .try_for_each(|(source, row)| run.paint_source(source, row));
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
                broken += usize::from(!matches!(error, CliError::WrongUse(_)));
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
struct Opened {
    photo: Photo,
    /// The file itself, where the result may be the same file.
    original: Option<Vec<u8>>,
}

/// What is to be written for one photo in one style.
enum Finished<'a> {
    /// The photo's own bytes: at strength 0, nothing may be lost by reading and writing it.
    Original(&'a [u8]),
    Picture(Cow<'a, Frame>, Format),
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
    /// Paints one photo in every style. Failures are told and counted; only a stop is an error.
    fn paint_source(&mut self, source: &Source, targets: &[Target]) -> Result<(), CliError> {
        self.stop_if_asked()?;
        // What cannot be written is not painted, and when nothing can, the photo is not even read.
        let mut writable = Vec::new();
        for (style, target) in self.styles.iter().zip(targets) {
            match check(target, self.job) {
                Ok(()) => writable.push((style, target)),
                Err(error) => self.fail(&error),
            }
        }
        if writable.is_empty() {
            return Ok(());
        }
        let opened = match read(source, self.job.look.strength_percent == 0) {
            Ok(opened) => opened,
            Err(error) => {
                for _ in &writable {
                    self.begun += 1;
                    self.failures += 1;
                }
                self.progress.tell(format!("error: {error}"));
                return Ok(());
            }
        };
        let mut told = false;
        for (style, target) in writable {
            match self.paint(&opened, style, target, &mut told) {
                Ok(()) => self.begun += 1,
                Err(stop @ CliError::Stopped) => return Err(stop),
                Err(CliError::NobodyReads) => {
                    self.fail("standard output was closed before the picture was written");
                }
                Err(error) => self.fail(&error.to_string()),
            }
        }
        Ok(())
    }

    /// Paints and writes. `told` is whether the notes about the photo have been told.
    fn paint(
        &mut self,
        opened: &Opened,
        style: &ChosenStyle,
        target: &Target,
        told: &mut bool,
    ) -> Result<(), CliError> {
        self.stop_if_asked()?;
        let photo = &opened.photo;
        let format = match target {
            Target::Stdout(format) => format.unwrap_or(photo.natural_format),
            Target::File(_, format) => *format,
        };
        let finished = match self.unpainted(opened, style, format)? {
            Some(finished) => finished,
            None => Finished::Picture(Cow::Owned(self.painted(photo, style)?), format),
        };
        self.stop_if_asked()?;
        // What was lost in reading the photo is not lost in a copy of its file.
        if let Finished::Picture(..) = finished
            && !std::mem::replace(told, true)
        {
            for note in &photo.notes {
                self.progress.tell(format!("note: {}: {note}", photo.name));
            }
        }
        for note in write(&finished, photo, target, self.job)? {
            self.progress.tell(format!("note: {}: {note}", photo.name));
        }
        Ok(())
    }

    /// The result at strength 0, for which no network runs; `None` at any other strength.
    fn unpainted<'a>(
        &self,
        opened: &'a Opened,
        style: &ChosenStyle,
        format: Format,
    ) -> Result<Option<Finished<'a>>, CliError> {
        let Some(original) = &opened.original else {
            return Ok(None);
        };
        let frame = &opened.photo.frame;
        Ok(Some(match self.job.output_size {
            OutputSize::Original if decode::format_of_bytes(original) == Some(format) => {
                Finished::Original(original)
            }
            OutputSize::Original => Finished::Picture(Cow::Borrowed(frame), format),
            OutputSize::Working => {
                let ((width, height), _) = self
                    .painter
                    .working_size(
                        &style.network,
                        frame.width(),
                        frame.height(),
                        self.job.paint,
                    )
                    .map_err(|e| failed(&opened.photo, &e))?;
                Finished::Picture(at_size(frame, width, height), format)
            }
        }))
    }

    /// The photo in a style, at the size and with the look that were asked for.
    fn painted(&mut self, photo: &Photo, style: &ChosenStyle) -> Result<Frame, CliError> {
        let (job, painter, control) = (self.job, &mut self.painter, &self.control);
        let painting = self
            .progress
            .during(self.begun, &photo.name, control, || {
                painter.paint(&photo.frame, &style.network, job.paint, control)
            })
            .map_err(|e| {
                if e.is_cancelled() {
                    CliError::Stopped
                } else {
                    failed(photo, &e)
                }
            })?;
        for note in &painting.notes {
            self.progress.tell(format!("note: {}: {note}", photo.name));
        }
        Ok(painting.finished(&photo.frame, job.output_size, job.look))
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

/// Reads a photo, and keeps its file when `keep` says so.
fn read(source: &Source, keep: bool) -> Result<Opened, MediaError> {
    let bytes = match source {
        Source::File(path) => decode::bytes_of_path(path),
        Source::Stdin => decode::bytes_of_reader("standard input", stdin().lock()),
    }?;
    Ok(Opened {
        photo: decode::from_bytes(&source.name(), &bytes)?,
        original: keep.then_some(bytes),
    })
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
