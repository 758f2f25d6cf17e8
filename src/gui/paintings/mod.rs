//! Recently saved paintings: a strip of thumbnails below the photo, kept across restarts. A click shows a painting
//! large instead of the photo; for a video, its first frame with a button that plays it.
//!
//! The list of recently opened photos has the same kind of thumbnails.
//!
//! The settings contain the list of files. Thumbnails are made in the background, one after the other, as long as the
//! strip or the list is shown.

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
use crate::{film::Container, media::record::Destination, settings::State};

/// Whether this file of the list is a recorded or exported video.
fn is_video(path: &Path) -> bool {
    let container = Container::from_path(path).filter(|container| !container.is_animation());
    Destination::has_video_ending(path) || container.is_some()
}

/// The kind of a file in the list, as text.
fn kind(path: &Path) -> &'static str {
    if is_video(path) { "video" } else { "painting" }
}

/// A painting's thumbnail, or why there is none.
struct Thumbnail {
    /// The version of the file from which it was made.
    stamp: Option<Stamp>,
    picture: Result<TextureHandle, String>,
}

/// The thumbnails of the strip, and the painting that is shown large.
#[derive(Default)]
pub struct Paintings {
    thumbnails: HashMap<PathBuf, Thumbnail>,
    /// Files that have changed since their thumbnail was made.
    outdated: HashSet<PathBuf>,
    /// The file whose thumbnail is being made.
    running: Option<PathBuf>,
    /// Whether to scroll the newest painting into view.
    has_new: bool,
    /// Whether to scroll the painting that is shown large into view.
    scrolls_to_viewed: bool,
    /// The painting that is being opened.
    opening: Option<PathBuf>,
    /// The painting that is shown large instead of the photo.
    pub viewed: Option<Viewed>,
    /// Whether the strip is open in a low window, where it takes space from the picture.
    is_open_low: bool,
}

impl Paintings {
    /// Notes that this file was written.
    fn note_written(&mut self, path: &Path) {
        self.outdated.insert(path.to_owned());
        self.has_new = true;
    }

    /// The next of these files that needs a thumbnail; it is marked as started.
    pub fn begin_next(&mut self, listed: &[PathBuf]) -> Option<PathBuf> {
        if self.running.is_some() {
            return None;
        }
        let here = &self.thumbnails;
        let outdated = &self.outdated;
        let lacks = |path: &&PathBuf| !here.contains_key(*path) || outdated.contains(*path);
        self.running = listed.iter().find(lacks).cloned();
        // If the file is written again from now on, it needs a new thumbnail.
        if let Some(path) = &self.running {
            self.outdated.remove(path);
        }
        self.running.clone()
    }

    /// Stores a thumbnail, or the reason why there is none.
    pub fn take_in(
        &mut self,
        ctx: &egui::Context,
        path: PathBuf,
        small: Result<SmallPicture, String>,
    ) {
        self.running.take_if(|running| *running == path);
        let small = small.unwrap_or_else(|error| SmallPicture {
            stamp: Some(Stamp::default()),
            picture: Err(error),
        });
        let texture = |frame| ctx.load_texture("painting small", image_of(&frame), MIPMAPPED);
        let thumbnail = Thumbnail { stamp: small.stamp, picture: small.picture.map(texture) };
        self.thumbnails.insert(path, thumbnail);
    }

    /// Whether the file did not exist when its thumbnail was made. It is not shown, but stays in the list: its disk may
    /// be connected again.
    fn is_gone(&self, path: &Path) -> bool {
        self.thumbnails.get(path).is_some_and(|thumbnail| thumbnail.stamp.is_none())
    }

    /// Files that have thumbnails, with the file versions of these.
    fn stamps(&self) -> Vec<(PathBuf, Option<Stamp>)> {
        let seen = self.thumbnails.iter();
        seen.map(|(path, seen)| (path.clone(), seen.stamp)).collect()
    }

    /// Discards the thumbnails of files that are no longer in a list.
    pub fn keep_only(&mut self, state: &State) {
        let is_listed = |path: &PathBuf| {
            [&state.paintings, &state.recent_photos].iter().any(|list| list.contains(path))
        };
        self.thumbnails.retain(|path, _| is_listed(path));
        self.outdated.retain(is_listed);
    }

    /// The thumbnail of a file in a list, if it is ready.
    pub fn small(&self, path: &Path) -> Option<&TextureHandle> {
        self.thumbnails.get(path)?.picture.as_ref().ok()
    }

    /// Shows the photo again; returns `false` if no painting was shown or being opened.
    pub fn close_view(&mut self) -> bool {
        let was_opening = self.opening.take().is_some();
        self.viewed.take().is_some() || was_opening
    }
}
