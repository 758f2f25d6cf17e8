//! Writes results to a file or to standard output, in the format of the target.

use std::{borrow::Cow, fmt::Display};

use super::{Opened, Run};
use crate::{
    CliError,
    args::ProfileChoice,
    job::{Job, Target},
    progress::Progress,
    terminal::print_bytes,
};
use engine::{
    network_choice::ChosenNetwork,
    paint::{OutputSize, PaintSettings, Painting, at_size},
};
use pictures::{
    decode::{self, Photo},
    encode::{self, Attached, Format, Picture},
};
use settings::painted_with::{PaintedStyle, PaintedWith, Texts};
use values::disk::{self, WriteError};

/// The result of one photo in one style.
pub enum Finished<'a> {
    /// The photo's own bytes. At strength 0 nothing may be lost by decoding and encoding.
    Original(&'a [u8]),
    /// With the settings of the painting.
    Picture(Picture<'a>, Format, Texts),
}

impl Run<'_> {
    /// Writes a result. A failure is reported; cancelling is the only error.
    pub fn deliver(
        &mut self,
        opened: &Opened<'_>,
        target: &Target,
        finished: Finished<'_>,
    ) -> Result<(), CliError> {
        self.stop_if_cancelled()?;
        match self.written(opened, target, finished) {
            Ok(()) => {}
            Err(stop @ CliError::Stopped) => return Err(stop),
            Err(CliError::OutputClosed) => {
                let why = "standard output was closed before the image was written";
                self.fail_in(opened, target, why);
            }
            Err(error) => self.fail_in(opened, target, error),
        }
        Ok(())
    }

    /// Writes a result and prints what its format could not store.
    fn written(
        &self,
        opened: &Opened<'_>,
        target: &Target,
        finished: Finished<'_>,
    ) -> Result<(), CliError> {
        let photo = &opened.photo;
        // A copy of the photo's file keeps what decoding would lose.
        if let Finished::Picture(..) = &finished
            && !opened.has_printed_notes.replace(true)
        {
            self.progress.notes_on(&photo.name, &photo.notes);
        }
        let notes = write(finished, photo, target, self.job, &self.progress)?;
        self.progress.notes_on(&photo.name, &notes);
        self.json_line(&photo.name, target, Ok("painted"));
        Ok(())
    }

    /// The result at strength 0, which needs no network; `None` at any other strength.
    pub fn unpainted<'a>(
        &self,
        opened: &'a Opened<'_>,
        style: &ChosenNetwork,
        target: &Target,
        settings: PaintSettings,
    ) -> Result<Option<Finished<'a>>, CliError> {
        if self.job.stylization.look.strength_percent > 0 {
            return Ok(None);
        }
        let frame = &opened.photo.frame;
        let format = format_for(&opened.photo, target);
        self.check_copy(opened, target, settings)?;
        let output = self.job.args.output_size;
        let painted = match output {
            OutputSize::Working => self.working_size(opened, style, settings)?,
            OutputSize::Original | OutputSize::LongSide(_) => opened.size(),
        };
        let (width, height) = output.resolve(opened.size(), painted);
        let is_same = (width, height) == opened.size();
        Ok(Some(match &opened.original {
            Some(original) if is_same && decode::format_of_bytes(original) == Some(format) => {
                Finished::Original(original)
            }
            _ => {
                let copy = at_size(frame, width, height);
                let picture = if self.job.paint.is_deep {
                    Picture::Deep(copy.as_ref().into())
                } else {
                    copy.into()
                };
                Finished::Picture(picture, format, Texts::new())
            }
        }))
    }
}

/// The format in which a photo is written to a target.
pub fn format_for(photo: &Photo, target: &Target) -> Format {
    target.format.unwrap_or(photo.natural_format)
}

/// How a photo was painted, as texts for its file.
pub fn texts(style: &ChosenNetwork, painting: &Painting, job: &Job, device: String) -> Texts {
    let style = PaintedStyle { label: style.label.clone(), model: style.model, mix: None };
    PaintedWith {
        style: Some(style),
        mode: Some(painting.mode),
        working: Some(painting.painted.size()),
        detail: Some(job.stylization.size),
        look: job.stylization.look,
        steadiness: None,
        source: None,
        device: Some(device),
    }
    .texts()
}

/// Writes a result and returns notes on what its format could not store.
fn write(
    finished: Finished<'_>,
    photo: &Photo,
    target: &Target,
    job: &Job,
    progress: &Progress,
) -> Result<Vec<String>, CliError> {
    let attached = Attached {
        profile: photo.profile.as_deref().filter(|_| job.args.color_profile == ProfileChoice::Keep),
        metadata: Some(&photo.metadata),
        ..Attached::default()
    };
    let Some(path) = &target.file else {
        let (bytes, notes) = match finished {
            Finished::Original(bytes) => (Cow::Borrowed(bytes), Vec::new()),
            Finished::Picture(picture, format, texts) => {
                let attached = Attached { texts: &texts, ..attached };
                let name = "standard output";
                let (bytes, notes) =
                    encode::to_bytes_with(name, picture, attached, job.encoding(format))
                        .map_err(|e| failed(photo, &e))?;
                (Cow::Owned(bytes), notes)
            }
        };
        print_bytes(&bytes)?;
        return Ok(notes);
    };
    if job.folder().is_some() {
        disk::make_folder(disk::folder_of(path)).map_err(CliError::failed)?;
    }
    let notes = match finished {
        Finished::Original(bytes) => {
            encode::save_bytes(path, bytes, job.existing).map(|()| Vec::new())
        }
        Finished::Picture(picture, format, texts) => {
            let attached = Attached { texts: &texts, ..attached };
            encode::save_with(path, picture, attached, job.encoding(format), job.existing)
        }
    }
    .map_err(|e| failed(photo, &e))?;
    // Failing to print the file name is not a failure: the file is written.
    if !job.args.json && !job.args.quiet {
        progress.print(path.display()).ok();
    }
    Ok(notes)
}

pub fn failed(photo: &Photo, error: &dyn Display) -> CliError {
    CliError::Failed(format!("{}: {error}", photo.name))
}

pub fn check(target: &Target, job: &Job) -> Result<(), String> {
    let Some(path) = &target.file else {
        return Ok(());
    };
    // A missing folder is created when the first file is written.
    if job.folder().is_some() && !disk::folder_of(path).exists() {
        return Ok(());
    }
    disk::check_target(path, job.existing).map_err(|error| refused(&error))
}

/// Why a painting cannot be written, and the options that help.
pub fn refused(error: &WriteError) -> String {
    match error {
        WriteError::Exists { name } => format!(
            "{name} already exists; replace it with --force, keep it with --skip-existing, or choose another name"
        ),
        other => other.to_string(),
    }
}
