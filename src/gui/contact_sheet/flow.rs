//! Makes a contact sheet, from the file dialog to the written file.

use std::{path::PathBuf, sync::Arc};

use super::{ContactSheet, SheetFile};
use crate::{
    disk::free_path,
    engine::{
        error::EngineError,
        paint::{PaintSettings, WorkingSize, at_size},
        protocol::{RepaintJob, RepaintNumber, Repainted},
    },
    frame::Frame,
    gui::{app::App, label::label, opened::smaller, platform::Dialog},
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
        let ticket = self.ticket();
        let Some(photo) = self.workspace.photo().filter(|_| self.sheet.is_none()) else {
            return;
        };
        let photo = &photo.framed;
        let (path, format) = self.with_format(path);
        let (width, height) = photo.frame.size();
        let (width, height) = self.workspace.choice.working_size().resolve(width, height);
        let cards = self.gallery.cards().iter();
        self.sheet = Some(ContactSheet {
            ticket,
            photo: photo.frame.clone(),
            long_side_px: width.max(height),
            choice: self.workspace.choice.clone(),
            styles: cards.map(|card| (card.id.clone(), label(&card.title))).collect(),
            next: 0,
            painting: None,
            file: SheetFile {
                path: free_path(path),
                encoding: Encoding { format, quality: self.settings.choices.jpeg_quality },
                cells: Vec::new(),
            },
            failures: Vec::new(),
        });
        self.go_on_with_sheet();
    }

    /// Cancels the sheet.
    pub(crate) fn stop_contact_sheet(&mut self) {
        let sheet = self.sheet.take();
        if let Some(number) = sheet.and_then(|sheet| sheet.painting) {
            self.cancel_repaint(number);
        }
    }

    /// Reads the network of the next style, or writes the sheet when all are painted.
    fn go_on_with_sheet(&mut self) {
        let Some(sheet) = &mut self.sheet else {
            return;
        };
        let ticket = sheet.ticket;
        let photo = sheet.photo.clone();
        if let Some((id, _)) = sheet.styles.get(sheet.next) {
            let id = id.clone();
            let model = sheet.choice.model;
            let long_side_px = sheet.long_side_px;
            let styles = self.style_source.clone();
            let read = move || {
                let network = styles.load(&id, model)?.network;
                Ok((network, smaller(&photo, long_side_px)))
            };
            self.tasks.spawn(read, move |app, read| {
                let Some(sheet) = app.sheet.as_mut().filter(|sheet| sheet.ticket == ticket) else {
                    return;
                };
                let (network, photo) = match read {
                    Ok(read) => read,
                    Err(error) => return app.leave_off_sheet(error),
                };
                sheet.photo = photo.clone();
                let job = RepaintJob {
                    frame: photo,
                    network,
                    settings: PaintSettings {
                        working_size: WorkingSize::Original,
                        ..PaintSettings::of_mode(sheet.choice.mode)
                    },
                    look: sheet.choice.look,
                };
                let number = app.repaint(job, Self::handle_sheet_painted);
                if let Some(sheet) = &mut app.sheet {
                    sheet.painting = Some(number);
                }
            });
        } else if sheet.file.cells.is_empty() {
            let why = sheet.failures.join(" ");
            self.sheet = None;
            self.messages.error(format!("The contact sheet was not made. {why}"));
        } else {
            let file =
                SheetFile { cells: std::mem::take(&mut sheet.file.cells), ..sheet.file.clone() };
            self.tasks.spawn_writing(
                move || write_sheet(&photo, file),
                move |app, path| {
                    let ended = app.sheet.take_if(|sheet| sheet.ticket == ticket);
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
                },
            );
        }
    }

    /// Handles a style that was painted for the sheet, or the failure.
    fn handle_sheet_painted(
        &mut self,
        _: RepaintNumber,
        result: Result<Arc<Repainted>, EngineError>,
    ) {
        let Some(sheet) = &mut self.sheet else {
            return;
        };
        sheet.painting = None;
        match result {
            Ok(repainted) => {
                let ticket = sheet.ticket;
                self.tasks.spawn(
                    move || Ok(cell_of(&repainted.picture)),
                    move |app, cell| {
                        let Some(sheet) = app.sheet.as_mut().filter(|sheet| sheet.ticket == ticket)
                        else {
                            return;
                        };
                        match cell {
                            Ok(cell) => {
                                if let Some((_, title)) = sheet.styles.get(sheet.next) {
                                    sheet.file.cells.push((title.clone(), cell));
                                }
                                sheet.next += 1;
                                app.go_on_with_sheet();
                            }
                            Err(error) => app.leave_off_sheet(error),
                        }
                    },
                );
            }
            Err(error) => {
                let title = sheet.styles.get(sheet.next).map_or("", |(_, title)| title);
                let why = format!("{title} could not be painted: {error}.");
                self.leave_off_sheet(why);
            }
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

/// Writes the sheet of a photo; returns its path.
fn write_sheet(photo: &Frame, mut file: SheetFile) -> Result<PathBuf, String> {
    file.cells.insert(0, (ORIGINAL.to_owned(), cell_of(photo)));
    let page =
        titled_sheet(&file.cells, CELL_PX).ok_or("Too many styles for one contact sheet.")?;
    encode::save(&file.path, &page, None, file.encoding, Existing::Keep)
        .map_err(|e| e.to_string())?;
    Ok(file.path)
}

fn cell_of(frame: &Frame) -> Frame {
    let (width, height) = size_within(frame.width(), frame.height(), CELL_PX);
    at_size(frame, width, height).into_owned()
}
