//! Recently saved paintings: a strip of small pictures below the photo, kept over restarts. A click shows one
//! large, in the photo's place; of a video its first picture, with a button that plays it.
//!
//! The photos that were opened last have small pictures of the same kind in their own list.
//!
//! Which files they are stands in the settings. Their small pictures are made in the background, one after the other,
//! as long as the strip or that list is seen.

mod flow;
mod small;
mod strip;
mod view;

pub use {
    flow::is_low,
    small::{SmallPicture, THUMBNAIL_PX},
    view::Viewed,
};

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use eframe::egui::{self, TextureHandle};

use self::small::Stamp;
use super::texture::{MIPMAPPED, image_of};
use crate::{media::record::Destination, settings::State};

/// Whether this file of the list is a recorded video.
fn is_video(path: &Path) -> bool {
    Destination::has_video_ending(path)
}

/// What a file of the list is called.
fn kind(path: &Path) -> &'static str {
    if is_video(path) { "video" } else { "painting" }
}

/// A painting's small picture, or why there is none.
struct Thumbnail {
    /// The file of which it was made.
    stamp: Option<Stamp>,
    picture: Result<TextureHandle, String>,
}

/// The small pictures of the strip, and the painting that is seen large.
#[derive(Default)]
pub struct Paintings {
    thumbnails: HashMap<PathBuf, Thumbnail>,
    /// Those whose file is another one by now.
    outdated: HashSet<PathBuf>,
    /// The one of which a small picture is being made.
    running: Option<PathBuf>,
    /// Whether the newest one is to be scrolled into view.
    has_new: bool,
    /// Whether the one that is seen large is to be scrolled into view.
    scrolls_to_viewed: bool,
    /// The one that is being opened.
    opening: Option<PathBuf>,
    viewed: Option<Viewed>,
    /// Whether the strip is seen in a window that is low, where the picture needs the room.
    is_open_low: bool,
}

impl Paintings {
    /// Notes that this file was written.
    fn note_written(&mut self, path: &Path) {
        self.outdated.insert(path.to_owned());
        self.has_new = true;
    }

    /// The next of these files of which a small picture is to be made; it counts as begun.
    pub(super) fn begin_next(&mut self, listed: &[PathBuf]) -> Option<PathBuf> {
        if self.running.is_some() {
            return None;
        }
        let (here, outdated) = (&self.thumbnails, &self.outdated);
        let lacks = |path: &&PathBuf| !here.contains_key(*path) || outdated.contains(*path);
        self.running = listed.iter().find(lacks).cloned();
        // What is written from now on needs another one.
        if let Some(path) = &self.running {
            self.outdated.remove(path);
        }
        self.running.clone()
    }

    /// Takes in a small picture that was made, or could not be.
    pub fn take_in(
        &mut self,
        ctx: &egui::Context,
        path: PathBuf,
        small: Result<SmallPicture, String>,
    ) {
        self.running.take_if(|running| *running == path);
        let small = small.unwrap_or_else(|error| SmallPicture { stamp: None, picture: Err(error) });
        let texture = |frame| ctx.load_texture("painting small", image_of(&frame), MIPMAPPED);
        let thumbnail = Thumbnail { stamp: small.stamp, picture: small.picture.map(texture) };
        self.thumbnails.insert(path, thumbnail);
    }

    /// Files of which small pictures are here, with what is known of the files.
    fn stamps(&self) -> Vec<(PathBuf, Option<Stamp>)> {
        let seen = self.thumbnails.iter();
        seen.map(|(path, seen)| (path.clone(), seen.stamp)).collect()
    }

    /// Forgets the pictures of files that are in no list any more.
    pub(super) fn keep_only(&mut self, state: &State) {
        let is_listed = |path: &PathBuf| {
            [&state.paintings, &state.recent_photos].iter().any(|list| list.contains(path))
        };
        self.thumbnails.retain(|path, _| is_listed(path));
        self.outdated.retain(is_listed);
    }

    /// The small picture of a file of a list, once it is here.
    pub fn small(&self, path: &Path) -> Option<&TextureHandle> {
        self.thumbnails.get(path)?.picture.as_ref().ok()
    }

    /// The painting that is seen large in the photo's place.
    pub fn viewed(&self) -> Option<&Viewed> {
        self.viewed.as_ref()
    }

    /// As [`Self::viewed`], to be drawn and changed.
    pub fn viewed_mut(&mut self) -> Option<&mut Viewed> {
        self.viewed.as_mut()
    }

    /// Shows the photo again; `false` when no painting was seen or opened.
    pub fn close_view(&mut self) -> bool {
        let was_opening = self.opening.take().is_some();
        self.viewed.take().is_some() || was_opening
    }
}
