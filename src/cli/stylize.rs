//! `styleforge stylize`: paints every photo in every style; one bad file does not stop the others.

use std::{fs, io::stdin, path::Path, sync::Arc};

use super::{
    CliError,
    args::StylizeArgs,
    interrupt::cancel_on_interrupt,
    job::{Job, Source, Target},
    progress::Progress,
    select_device,
    style_choice::{ChosenStyle, choose},
    terminal::{print, print_bytes, tell},
};
use crate::{
    backend::RunControl,
    engine::paint::Painter,
    media::{
        decode::{self, Photo},
        encode::{self, Encoding},
    },
    weights::StyleLibrary,
};

/// Paints what was asked for.
///
/// # Errors
/// [`CliError::WrongUse`] before anything is painted; [`CliError::AlreadyTold`] when some photos
/// failed; [`CliError::Stopped`] after Ctrl-C.
pub fn run(args: StylizeArgs) -> Result<(), CliError> {
    let library = StyleLibrary::standard();
    let names: Vec<String> = library.styles().iter().map(|s| s.id.clone()).collect();
    let job = Job::new(args, &names)?;
    let styles = job
        .styles
        .iter()
        .map(|typed| choose(&library, typed, job.model))
        .collect::<Result<Vec<_>, _>>()?;
    if styles.is_empty() {
        return Err(CliError::WrongUse(
            "no style is installed; give a file of weights".to_owned(),
        ));
    }
    let labels: Vec<String> = styles.iter().map(|s| s.label.clone()).collect();
    let targets = job.targets(&labels)?;
    let selected = select_device(&job.device)?;
    for note in styles.iter().filter_map(|s| s.note.as_ref()) {
        tell(format!("note: {note}"));
    }
    if let Some(folder) = job.folder() {
        fs::create_dir_all(folder).map_err(|e| {
            CliError::Failed(format!(
                "the folder {} could not be created: {e}",
                folder.display()
            ))
        })?;
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
    match run.failures {
        0 => Ok(()),
        failures => {
            let all = job.sources.len() * styles.len();
            if all > 1 {
                tell(format!("{failures} of {all} paintings failed"));
            }
            Err(CliError::AlreadyTold)
        }
    }
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
        let photo = match read(source) {
            Ok(photo) => photo,
            Err(error) => {
                for _ in &writable {
                    self.begun += 1;
                    self.failures += 1;
                }
                self.progress.tell(format!("error: {error}"));
                return Ok(());
            }
        };
        for note in &photo.notes {
            self.progress.tell(format!("note: {}: {note}", photo.name));
        }
        for (style, target) in writable {
            match self.paint(&photo, style, target) {
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

    fn paint(
        &mut self,
        photo: &Photo,
        style: &ChosenStyle,
        target: &Target,
    ) -> Result<(), CliError> {
        self.stop_if_asked()?;
        let (job, control) = (self.job, self.control.clone());
        let failed = |e: &dyn std::fmt::Display| CliError::Failed(format!("{}: {e}", photo.name));
        let painter = &mut self.painter;
        let painting = self
            .progress
            .during(self.begun, &photo.name, &self.control, || {
                painter.paint(&photo.frame, &style.network, job.paint, &control)
            })
            .map_err(|e| {
                if e.is_cancelled() {
                    CliError::Stopped
                } else {
                    failed(&e)
                }
            })?;
        for note in &painting.notes {
            self.progress.tell(format!("note: {}: {note}", photo.name));
        }
        let result = painting.finished(&photo.frame, job.output_size, job.look);
        self.stop_if_asked()?;

        let encoding = |format| Encoding {
            format,
            jpeg_quality: job.jpeg_quality,
        };
        let icc = photo.icc.as_deref();
        let notes = match target {
            Target::Stdout(format) => {
                let encoding = encoding(format.unwrap_or(photo.natural_format));
                let (bytes, notes) = encode::to_bytes("standard output", &result, icc, encoding)
                    .map_err(|e| failed(&e))?;
                print_bytes(&bytes)?;
                notes
            }
            Target::File(path, format) => {
                let notes = encode::save(path, &result, icc, encoding(*format), job.existing)
                    .map_err(|e| failed(&e))?;
                // The list of what was written is a courtesy; the files are the work.
                print(&format!("{}\n", path.display())).ok();
                notes
            }
        };
        for note in notes {
            self.progress.tell(format!("note: {}: {note}", photo.name));
        }
        Ok(())
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

fn read(source: &Source) -> Result<Photo, String> {
    match source {
        Source::File(path) => decode::from_path(path),
        Source::Stdin => decode::from_reader("standard input", stdin().lock()),
    }
    .map_err(|e| e.to_string())
}

fn check(target: &Target, job: &Job) -> Result<(), String> {
    match target {
        Target::File(path, _) => {
            encode::check_target(Path::new(path), job.existing).map_err(|e| e.to_string())
        }
        Target::Stdout(_) => Ok(()),
    }
}
