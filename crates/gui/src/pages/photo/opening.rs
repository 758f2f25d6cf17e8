//! Opens a file, the sample or a list entry and puts the photo on the table.

use std::{path::PathBuf, sync::Arc};

use itertools::Itertools;

use super::{
    PhotoPage,
    command::PhotoCommand,
    incoming::PictureUse,
    opened::{Opened, Origin, if_there, opened, sorted},
    paintings::{FileList, Tile, painted_before},
    state::NextStep,
    welcome::Recent,
};
use crate::{
    app::{App, Shell},
    choice::{DEFAULT_BRUSH, working_size_of},
    intent::Intent,
    shell::common::name_window,
};

impl PhotoPage {
    /// The recently opened photos.
    pub fn recent<'a>(&'a self, shell: &'a Shell) -> Recent<'a> {
        Recent { files: &shell.settings.state.recent_photos, paintings: &self.paintings }
    }

    pub fn open(&mut self, shell: &mut Shell, origin: Origin) {
        let ticket = self.opening.ticket();
        self.open_as(shell, ticket, origin);
    }

    /// Opens a photo for the request with this number, which must be the newest.
    fn open_as(&mut self, shell: &mut Shell, ticket: u64, origin: Origin) {
        self.opening.begin(ticket);
        shell
            .tasks
            .spawn(move || opened(origin), move |app, opened| app.handle_opened(ticket, opened));
    }

    /// Sorts files in the background, to open, import or paint them.
    pub fn sort(&mut self, shell: &mut Shell, files: Vec<PathBuf>, picture_use: PictureUse) {
        let ticket = self.opening.ticket();
        shell.run(
            move || Ok(sorted(files)),
            move |app, sorted| app.handle_sorted(ticket, picture_use, sorted),
        );
    }

    /// Opens one photo from a file, unless a later request has already led to a photo. Requests are sorted by several
    /// threads and may finish in another order.
    pub fn open_file(&mut self, shell: &mut Shell, ticket: u64, path: PathBuf) {
        if ticket >= self.opening.newest {
            self.open_as(shell, ticket, Origin::File(path));
        }
    }

    /// Shows these photos on the strip, and opens the first one if `opens_first`, or if there is no picture yet.
    pub fn open_set(
        &mut self,
        shell: &mut Shell,
        ticket: u64,
        photos: &[PathBuf],
        opens_first: bool,
    ) {
        let set: Arc<Vec<_>> = Arc::new(photos.iter().unique().cloned().collect());
        self.paintings.show_set(shell, set.clone());
        let is_empty = shell.workspace.photo().is_none() && !shell.workspace.is_live();
        if let Some(first) = photos.first().filter(|_| opens_first || is_empty) {
            self.paintings.at = Some(first.clone());
            self.open_file(shell, ticket, first.clone());
        }
        shell.tasks.spawn(
            move || Ok(painted_before(&set)),
            |app, painted| app.photo.paintings.painted.extend(painted.into_iter().flatten()),
        );
    }

    /// Shows the painting, or opens the photo, that is `by` positions to the right of the shown one on the strip, if
    /// there is one. Returns `false` if the shown one is not on the strip.
    pub fn step_strip(&mut self, shell: &mut Shell, by: isize) -> bool {
        let paintings = &mut self.paintings;
        // Start from what is being opened, because key presses are faster than reading files.
        let viewed = paintings.opening.as_deref().or(paintings.viewed.as_ref().map(|v| &*v.path));
        let photo = paintings.at.as_deref().or(shell.workspace.shown_file());
        let is_passed = |tile| tile != Tile::Folder && (tile == Tile::Photo) == viewed.is_none();
        let tiles = paintings.tiles(&shell.settings.state.paintings).into_iter();
        let passed: Vec<_> =
            tiles.filter(|(tile, _)| is_passed(*tile)).map(|(_, path)| path).collect();
        let Some(place) = passed.iter().position(|path| viewed.or(photo) == Some(path)) else {
            return false;
        };
        let next = place.checked_add_signed(by).and_then(|place| passed.get(place));
        let next = next.map(|path| (*path).clone());
        if viewed.is_some() {
            shell.intents.extend(next.map(|path| Intent::Photo(PhotoCommand::ShowPainting(path))));
        } else if next.is_some() {
            (paintings.at, paintings.is_behind) = (next, true);
            self.open_next(shell);
        }
        true
    }

    /// Opens the photo that the keys led to.
    fn open_next(&mut self, shell: &mut Shell) {
        if !self.opening.is_running
            && std::mem::take(&mut self.paintings.is_behind)
            && let Some(path) = self.paintings.at.clone()
        {
            self.open(shell, Origin::File(path));
        }
    }

    /// Opens a photo of the list.
    pub fn open_recent(&mut self, shell: &mut Shell, path: PathBuf) {
        let ticket = self.opening.begin_next();
        let file = path.clone();
        let open = move || if_there(&file, || opened(Origin::File(file.clone())));
        shell.tasks.spawn(open, move |app, opened| match opened.transpose() {
            Some(opened) => app.handle_opened(ticket, opened),
            None => {
                app.photo.opening.end(ticket);
                app.photo.forget_gone(&mut app.shell, FileList::Recent, &path);
            }
        });
    }

    /// Returns a brush that was chosen for a photo of another size to the default one, and reports it. Reports once for
    /// each brush that stays, because the photos were opened together or the program was restarted.
    fn settle_brush(&mut self, shell: &mut Shell, stays: bool) {
        let brush = shell.workspace.choice.brush;
        let Some((width, height)) = shell.workspace.photo_size() else { return };
        let of = |brush| {
            let (width, height) = working_size_of(brush).resolve(width, height);
            width.max(height)
        };
        let (last, usual) = (of(brush), of(DEFAULT_BRUSH));
        if !stays {
            shell.workspace.choice.brush = DEFAULT_BRUSH;
        }
        if last == usual || stays && self.opening.announced_brush == Some(brush) {
            // No message is needed.
        } else if stays {
            self.opening.announced_brush = Some(brush);
            let offer = ("Use default", Intent::Photo(PhotoCommand::Detail(DEFAULT_BRUSH)));
            shell.messages.offer(format!("Using your last Detail ({last} px)."), offer);
        } else {
            let offer = ("Use last", Intent::Photo(PhotoCommand::Detail(brush)));
            let text = format!("Detail is the default again ({usual} px); last, it was {last} px.");
            shell.messages.offer(text, offer);
        }
    }
}

impl App {
    /// Puts a photo on the table, unless another one was requested later.
    pub(crate) fn handle_opened(&mut self, ticket: u64, opened: Result<Box<Opened>, String>) {
        if self.photo.opening.end(ticket) {
            match opened {
                Ok(opened) => self.ask_or_perform(NextStep::Put(opened)),
                Err(error) => self.shell.messages.error(error),
            }
            self.photo.open_next(&mut self.shell);
        }
    }

    /// Puts a photo on the table, and paints it if a style is chosen.
    pub(crate) fn put(&mut self, opened: Opened) {
        let was_live = self.shell.workspace.is_live();
        // A user who opens a photo wants to see it.
        self.leave_live();
        for note in &opened.photo.notes {
            self.shell.messages.notice(note.clone());
        }
        if let Origin::File(path) = &opened.origin
            && let Some(folder) = path.parent()
        {
            self.shell.settings.state.open_folder = Some(folder.to_owned());
            if !self.photo.paintings.set.contains(path) {
                self.photo.note_file(&mut self.shell, FileList::Recent, path);
            }
            self.shell.settings_changed();
        }
        let long_side = |size: (usize, usize)| size.0.max(size.1);
        let size = long_side(opened.photo.frame.size());
        let before = self.shell.workspace.photo().map(|photo| &photo.opened);
        let is_in_set = |of: &Opened| match &of.origin {
            Origin::File(path) => self.photo.paintings.set.contains(path),
            _ => false,
        };
        let keeps_brush = before.is_none_or(|before| {
            long_side(before.photo.frame.size()) == size
                || [before, &opened].into_iter().all(is_in_set)
        });
        self.photo.drop_request(&mut self.shell);
        self.shell.end_change();
        self.photo.painting.framing = None;
        let before = self.photo.seen_pictures();
        // No fade over the whole photo that is shown while cropping, or over other pages.
        if self.photo.cropping.take().is_none() && !was_live && !before.is_empty() {
            self.photo.stage.appear_over(&self.shell.ctx, before);
        }
        self.photo.paintings.close_view();
        self.photo.paintings.follow_put();
        name_window(&self.shell.ctx, Some(&opened.title()));
        self.photo.stage.set_photo(&self.shell.ctx, &opened.preview, opened.photo.frame.clone());
        self.photo.note_put(&mut self.shell, opened, was_live);
        self.follow_film();
        self.photo.settle_brush(&mut self.shell, keeps_brush);
        self.photo.recompose_anew(&mut self.shell);
        self.photo.follow_choice(&mut self.shell);
    }
}
