//! Makes a contact sheet, from the file dialog to the written file.

use std::path::PathBuf;

use super::ContactSheet;
use crate::{
    disk::free_path,
    engine::{
        paint::{PaintSettings, WorkingSize, at_size},
        protocol::RepaintJob,
    },
    frame::Frame,
    gui::{
        app::{App, TrialError, Tried},
        choice::Choice,
        label::label,
        opened::smaller,
        platform::Dialog,
        tasks::OrText,
    },
    media::{
        encode::{self, Encoding, Existing},
        scale::size_within,
        sheet::{CELL_PX, ORIGINAL, titled_sheet},
    },
};

impl App {
    /// Asks where to save the sheet.
    pub(crate) fn ask_contact_sheet(&mut self) {
        if self.sheet.is_some() {
            return;
        }
        if self.workspace.photo().is_none() {
            self.messages.notice("Open a photo first, to paint it in every style.");
            return;
        }
        let format = self.format();
        let file_name = format!("{}-styles.{}", self.workspace.photo_stem(), format.extension());
        self.ask(Dialog::Save { file_name, format }, Self::begin_contact_sheet);
    }

    /// Starts the sheet that is to be saved at `path`, or under a similar name if that is taken.
    fn begin_contact_sheet(&mut self, path: PathBuf) {
        let Some(photo) = self.workspace.photo().filter(|_| self.sheet.is_none()) else {
            return;
        };
        let photo = &photo.framed;
        let (path, format) = self.with_format(path);
        let (width, height) = photo.frame.size();
        let (width, height) = self.workspace.choice.working_size().resolve(width, height);
        let cards = self.gallery.cards.iter();
        self.sheet = Some(ContactSheet {
            photo: photo.frame.clone(),
            long_side_px: width.max(height),
            choice: self.workspace.choice.clone(),
            styles: cards.map(|card| (card.id.clone(), label(&card.title))).collect(),
            next: 0,
            job: 0,
            path: free_path(path),
            encoding: Encoding { format, quality: self.settings.choices.jpeg_quality },
            cells: Vec::new(),
            failures: Vec::new(),
        });
        self.go_on_with_sheet();
    }

    /// Cancels the sheet.
    pub(crate) fn stop_contact_sheet(&mut self) {
        if let Some(sheet) = self.sheet.take() {
            self.cancel_job(sheet.job);
        }
    }

    /// Paints the next style, or writes the sheet when all are painted.
    fn go_on_with_sheet(&mut self) {
        let Some(sheet) = &mut self.sheet else {
            return;
        };
        let (photo, job) = (sheet.photo.clone(), sheet.job);
        if let Some((id, _)) = sheet.styles.get(sheet.next).cloned() {
            let long_side_px = sheet.long_side_px;
            let Choice { model, mode, look, .. } = sheet.choice;
            let styles = self.style_source.clone();
            let prepare = move || {
                Ok(RepaintJob {
                    network: styles.load(&id, model)?.network,
                    frame: smaller(&photo, long_side_px),
                    settings: PaintSettings {
                        working_size: WorkingSize::Original,
                        ..PaintSettings::of_mode(mode)
                    },
                    look,
                })
            };
            let job = self.paint_apart(prepare, Self::handle_sheet_painted);
            if let Some(sheet) = &mut self.sheet {
                sheet.job = job;
            }
        } else if sheet.cells.is_empty() {
            let why = sheet.failures.join(" ");
            self.sheet = None;
            self.messages.error(format!("The contact sheet was not made. {why}"));
        } else {
            let (path, encoding) = (sheet.path.clone(), sheet.encoding);
            let mut cells = std::mem::take(&mut sheet.cells);
            let write = move || {
                cells.insert(0, (ORIGINAL.to_owned(), cell_of(&photo)));
                let page = titled_sheet(&cells, CELL_PX)
                    .ok_or("Too many styles for one contact sheet.")?;
                let saved = encode::save(&path, &page, None, encoding, Existing::Keep);
                saved.map(|_| path).or_text()
            };
            self.tasks.spawn_writing(write, move |app, path| {
                let ended = app.sheet.take_if(|sheet| sheet.job == job);
                let failures = ended.map_or_else(Vec::new, |sheet| sheet.failures);
                if !failures.is_empty() {
                    app.messages.error(format!(
                        "These styles are not on the contact sheet. {}",
                        failures.join(" ")
                    ));
                }
                match path {
                    Ok(path) => {
                        app.report_saved(&path);
                        app.note_painting(&path);
                    }
                    Err(error) => app.messages.error(error),
                }
            });
        }
    }

    /// Handles a style that was painted for the sheet, or the failure.
    fn handle_sheet_painted(&mut self, painted: Tried) {
        let Some(sheet) = &mut self.sheet else {
            return;
        };
        let title = sheet.styles.get(sheet.next).map_or("", |(_, title)| title).to_owned();
        match painted {
            Ok((photo, repainted)) => {
                sheet.photo = photo;
                let job = sheet.job;
                self.tasks.spawn(
                    move || Ok(cell_of(&repainted.picture)),
                    move |app, cell| {
                        let sheet = app.sheet.as_mut().filter(|sheet| sheet.job == job);
                        match (cell, sheet) {
                            (Ok(cell), Some(sheet)) => {
                                sheet.cells.push((title, cell));
                                sheet.next += 1;
                                app.go_on_with_sheet();
                            }
                            (Err(error), Some(_)) => app.leave_off_sheet(error),
                            (_, None) => {}
                        }
                    },
                );
            }
            Err(TrialError::Unread(error)) => self.leave_off_sheet(error),
            Err(error) => self.leave_off_sheet(format!("{title} could not be painted: {error}.")),
        }
    }

    fn leave_off_sheet(&mut self, why: String) {
        if let Some(sheet) = &mut self.sheet {
            sheet.failures.push(why);
            sheet.next += 1;
        }
        self.go_on_with_sheet();
    }
}

fn cell_of(frame: &Frame) -> Frame {
    let (width, height) = size_within(frame.width(), frame.height(), CELL_PX);
    at_size(frame, width, height).into_owned()
}
