//! Opens a file, the sample or a list entry and puts the photo on the table.

use std::path::PathBuf;

use super::{
    incoming::PictureUse,
    opened::{Opened, Origin, if_there, opened, sorted},
    paintings::FileList,
    welcome::Recent,
};
use crate::{
    app::{App, NextStep},
    choice::{DEFAULT_BRUSH, working_size_of},
    events::name_window,
    intent::Intent,
};

impl App {
    /// The recently opened photos.
    pub(crate) fn recent(&self) -> Recent<'_> {
        Recent { files: &self.settings.state.recent_photos, paintings: &self.paintings }
    }

    /// A number for a request to open something; later ones are larger.
    pub(crate) fn ticket(&mut self) -> u64 {
        self.opening.tickets += 1;
        self.opening.tickets
    }

    /// Starts a request for a photo; returns its number.
    pub(crate) fn begin_opening(&mut self) -> u64 {
        let ticket = self.ticket();
        self.opening.begin(ticket);
        ticket
    }

    pub(crate) fn open(&mut self, origin: Origin) {
        let ticket = self.ticket();
        self.open_as(ticket, origin);
    }

    /// Opens a photo for the request with this number, which must be the newest.
    fn open_as(&mut self, ticket: u64, origin: Origin) {
        self.opening.begin(ticket);
        self.tasks
            .spawn(move || opened(origin), move |app, opened| app.handle_opened(ticket, opened));
    }

    /// Puts a photo on the table, unless another one was requested later.
    pub(crate) fn handle_opened(&mut self, ticket: u64, opened: Result<Box<Opened>, String>) {
        if self.opening.end(ticket) {
            match opened {
                Ok(opened) => self.ask_or_perform(NextStep::Put(opened)),
                Err(error) => self.messages.error(error),
            }
        }
    }

    /// Sorts files in the background, to open, import or paint them.
    pub(crate) fn sort(&mut self, files: Vec<PathBuf>, picture_use: PictureUse) {
        let ticket = self.ticket();
        self.run(
            move || Ok(sorted(files)),
            move |app, sorted| app.handle_sorted(ticket, picture_use, sorted),
        );
    }

    /// Opens one photo from a file, unless a later request has already led to a photo. Requests are sorted by several
    /// threads and may finish in another order.
    pub(crate) fn open_file(&mut self, ticket: u64, path: PathBuf) {
        if ticket >= self.opening.newest {
            self.open_as(ticket, Origin::File(path));
        }
    }

    /// Opens a photo of the list.
    pub(crate) fn open_recent(&mut self, path: PathBuf) {
        let ticket = self.begin_opening();
        let file = path.clone();
        let open = move || if_there(&file, || opened(Origin::File(file.clone())));
        self.tasks.spawn(open, move |app, opened| match opened.transpose() {
            Some(opened) => app.handle_opened(ticket, opened),
            None => {
                app.opening.end(ticket);
                app.forget_gone(FileList::Recent, &path);
            }
        });
    }

    /// Reports that the current brush size was set for another photo, once for each size.
    fn announce_kept_brush(&mut self) {
        let brush = self.workspace.choice.brush;
        let is_new = brush != DEFAULT_BRUSH && self.opening.announced_brush != Some(brush);
        let Some((width, height)) = self.workspace.photo_size().filter(|_| is_new) else {
            return;
        };
        // No message is needed if the default brush results in the same size for this photo.
        let (kept, usual) = [brush, DEFAULT_BRUSH]
            .map(|brush| working_size_of(brush).resolve(width, height))
            .into();
        if kept != usual {
            self.opening.announced_brush = Some(brush);
            self.messages.offer(
                format!("Using your last Detail ({} px).", kept.0.max(kept.1)),
                ("Use default", Intent::UsualDetail),
            );
        }
    }

    /// Puts a photo on the table, and paints it if a style is chosen.
    pub(crate) fn put(&mut self, opened: Opened) {
        let was_live = self.live.is_some();
        // A user who opens a photo wants to see it.
        self.leave_live();
        for note in &opened.photo.notes {
            self.messages.notice(note.clone());
        }
        if let Origin::File(path) = &opened.origin
            && let Some(folder) = path.parent()
        {
            self.settings.state.open_folder = Some(folder.to_owned());
            self.note_file(FileList::Recent, path);
            self.settings_changed();
        }
        self.drop_request();
        self.end_change();
        self.painting.framing = None;
        let before = self.seen_pictures();
        // No fade over the whole photo that is shown while cropping, or over other pages.
        if self.cropping.take().is_none() && !was_live && !before.is_empty() {
            self.stage.appear_over(&self.ctx, before);
        }
        self.paintings.close_view();
        name_window(&self.ctx, Some(&opened.title()));
        self.stage.set_photo(&self.ctx, &opened.preview, opened.photo.frame.clone());
        self.note_put(opened, was_live);
        self.follow_film();
        self.announce_kept_brush();
        self.recompose_anew();
        self.follow_choice();
    }
}
