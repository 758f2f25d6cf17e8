//! Adds files to the styles. If a file does not specify its network's pixel format, asks the user, about one file at a
//! time.
//!
//! Closing the window or the question adds nothing.

use std::path::{Path, PathBuf};

use super::{Reading, Trial, Unclear};
use crate::{
    app::Shell,
    choice::NetworkOf,
    shell::overlays::Overlay,
    styles::{
        TrialOutcome,
        source::{Import, StyleSource},
    },
    widgets::{
        label::{name_label, remark},
        texture::{MIPMAPPED, image_of},
    },
};
use engine::trial::OneColor;
use pictures::decode;
use values::mode::ModelSize;
use weights::{PixelChoice, PixelFormat};

impl Shell {
    /// Adds a file to the styles, as far as that is possible without a question.
    pub fn import(&mut self, path: PathBuf) {
        self.import_with(path, |styles, path| styles.import(path, PixelChoice::default()));
    }

    /// Adds the picture or checkpoint `path` to the styles.
    pub fn import_with(
        &mut self,
        path: PathBuf,
        import: impl FnOnce(&dyn StyleSource, &Path) -> Result<Import, String> + Send + 'static,
    ) {
        self.styles.gallery.importing += 1;
        let styles = self.styles.source.clone();
        let file = path.clone();
        let name = name_label(&path);
        self.tasks.spawn_writing_or(
            move || import(&*styles, &file),
            move |imported| match imported {
                Ok(Import::Unclear(_)) => Some(format!(
                    "{name} was not added as a style: the window closed before its pixel format was chosen"
                )),
                other => other.err(),
            },
            move |app, imported| match imported {
            Ok(Import::Added { id, warning }) => {
                if decode::has_picture_name(&path) {
                    // Load its network now, so that it paints as soon as it is listed.
                    app.shell.load(NetworkOf::Style(id.clone(), ModelSize::Full));
                }
                app.shell.list_styles(Some(id));
                if let Some(warning) = warning {
                    app.shell.messages.notice(warning);
                }
            }
            Ok(Import::Unclear(known)) => {
                app.shell.styles.gallery.end_import();
                app.shell.styles.unclear.push_back(Unclear { path, known });
            }
            Err(error) => {
                app.shell.styles.gallery.end_import();
                app.shell.messages.error(error);
            }
        },
        );
    }

    /// Shows a picture that was painted for the open question, or why there is none.
    fn show_tried(&mut self, tried: TrialOutcome) {
        let Some(reading) = self.overlays.reading() else {
            return;
        };
        let trial = match tried {
            Ok((photo, painting)) => {
                reading.photo = Some(photo);
                Trial::Painted {
                    texture: self.ctx.load_texture(
                        "reading",
                        image_of(&painting.picture),
                        MIPMAPPED,
                    ),
                    one_color: OneColor::of(&painting.picture),
                }
            }
            Err(error) => Trial::Failed(remark(&error.to_string())),
        };
        reading.end(trial);
    }

    /// Adds the file of the open question with this pixel format.
    pub fn take_reading(&mut self, format: PixelFormat) {
        match self.overlays.take() {
            Some(Overlay::Reading(reading)) => {
                self.stop_trial();
                self.import_with(reading.file.path, move |styles, path| {
                    styles.import(path, PixelChoice::from(format))
                });
            }
            other => other.into_iter().for_each(|other| self.overlays.show(other)),
        }
    }
}

/// Asks about the next file if no other question is open, and paints the next picture.
pub fn serve_readings(shell: &mut Shell) {
    if !shell.overlays.is_open()
        && !shell.ending.is_closing
        && let Some(file) = shell.styles.unclear.pop_front()
    {
        let photo = shell.workspace.photo().map(|photo| photo.framed.preview.clone());
        shell.overlays.show(Overlay::Reading(Box::new(Reading::new(file, photo))));
    }
    let Some(reading) = shell.overlays.reading() else {
        return;
    };
    if let Some(format) = reading.begin_next() {
        let path = reading.file.path.clone();
        let photo = reading.photo.clone();
        let styles = shell.styles.source.clone();
        shell.try_network(
            photo,
            move || styles.network_as(&path, format),
            |app, tried| app.shell.show_tried(tried),
        );
    }
}
