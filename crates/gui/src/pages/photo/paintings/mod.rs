//! Recently saved paintings: a strip of thumbnails below the photo, kept across restarts. A click shows a painting
//! large instead of the photo; for a video, its first frame with a button that plays it.
//!
//! The list of recently opened photos has the same kind of thumbnails.
//!
//! The settings contain the list of files. Thumbnails are made in the background, one after the other, as long as the
//! strip or the list is shown.

mod flow;
mod strip;
pub use {
    flow::{FileList, is_low},
    strip::Viewed,
};

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use eframe::egui::{self, TextureHandle};

use super::opened::{Opened, Origin, from_clipboard, if_there, opened, smaller};
use crate::{
    shell::tasks::OrText,
    widgets::{
        label::path_label,
        texture::{MIPMAPPED, image_of},
    },
};
use media::record::beginning_of;
use pictures::{
    decode,
    folder::{is_animated, is_film},
};
use settings::{State, painted_with};
use values::{disk::words, frame::Frame};

/// The kind of a file in the list, as text.
fn kind(path: &Path) -> &'static str {
    if is_film(path) { "video" } else { "painting" }
}

/// A painting's thumbnail, or why there is none.
struct Thumbnail {
    /// The version of the file from which it was made.
    stamp: Option<Stamp>,
    /// It moves: a video, or an animated picture.
    moves: bool,
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
    /// Scrolls the newest painting into view.
    has_new: bool,
    /// Scrolls the painting that is shown large into view.
    scrolls_to_viewed: bool,
    /// The painting that is being opened.
    opening: Option<PathBuf>,
    /// The painting that is shown large instead of the photo.
    pub viewed: Option<Viewed>,
    /// The strip is open in a low window, where it takes space from the picture.
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
        self.running = listed
            .iter()
            .find(|&path| !self.thumbnails.contains_key(path) || self.outdated.contains(path))
            .cloned();
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
            moves: false,
            picture: Err(error),
        });
        let texture = |frame| ctx.load_texture("painting small", image_of(&frame), MIPMAPPED);
        let SmallPicture { stamp, moves, picture } = small;
        let thumbnail = Thumbnail { stamp, moves, picture: picture.map(texture) };
        self.thumbnails.insert(path, thumbnail);
    }

    /// True if the file did not exist when its thumbnail was made. It is not shown, but stays in the list: its disk may
    /// be connected again.
    fn is_gone(&self, path: &Path) -> bool {
        self.thumbnails.get(path).is_some_and(|thumbnail| thumbnail.stamp.is_none())
    }

    /// Files that have thumbnails, with the file versions of these.
    fn stamps(&self) -> Vec<(PathBuf, Option<Stamp>)> {
        self.thumbnails.iter().map(|(path, seen)| (path.clone(), seen.stamp)).collect()
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

/// Maximum size of a file, and maximum memory to read it, in bytes; larger files take too long for a thumbnail.
const MAX_BYTES: u64 = 512 << 20;
/// Long side of a thumbnail, in pixels: twice the size in points, for high-resolution screens.
pub const THUMBNAIL_PX: usize = 192;

/// Size and time of a file, to detect that it has changed.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// The current stamp of a file; `None` if there is no file.
    pub fn of(path: &Path) -> Option<Self> {
        let about = fs::metadata(path).ok()?;
        Some(Self { bytes: about.len(), modified: about.modified().ok() })
    }
}

/// A thumbnail of a file.
pub struct SmallPicture {
    /// The version of the file.
    pub stamp: Option<Stamp>,
    /// It moves: a video, or an animated picture.
    pub moves: bool,
    /// The picture, with a long side of at most [`THUMBNAIL_PX`], or why there is none.
    pub picture: Result<Frame, String>,
}

impl SmallPicture {
    pub fn of(path: &Path) -> Self {
        let moves = is_film(path) || is_animated(path);
        Self { stamp: Stamp::of(path), moves, picture: small(path) }
    }
}

/// A painting, and its settings if its file contains them.
pub type OpenedPainting = (Box<Opened>, Vec<(String, String)>);

/// Opens a painting, or the first frame of a video. Returns `None` if the file is gone.
pub fn open_painting(path: PathBuf) -> Result<Option<OpenedPainting>, String> {
    if_there(&path, || {
        let origin = Origin::File(path.clone());
        if path.is_file() && is_film(&path) {
            let opened = Opened { origin, ..from_clipboard(beginning_of(&path, None)?) };
            return Ok((Box::new(opened), Vec::new()));
        }
        Ok((opened(origin)?, painted_with::read(&path)))
    })
}

/// Makes a thumbnail of a file.
fn small(path: &Path) -> Result<Frame, String> {
    let name = path_label(path);
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("{name} no longer exists."));
        }
        Err(error) => return Err(format!("{name} could not be read: {}.", words(&error))),
    };
    // Check this before opening the file: opening a named pipe would block.
    if !about.is_file() {
        return Err(format!("{name} is not a regular file."));
    }
    let frame = if is_film(path) {
        Arc::new(beginning_of(path, Some(THUMBNAIL_PX))?)
    } else if about.len() > MAX_BYTES {
        return Err(format!("{name} is too large for a thumbnail."));
    } else {
        let bytes = decode::bytes_of_path(path).or_text()?;
        decode::from_bytes_within(&name, &bytes, MAX_BYTES).or_text()?.frame
    };
    Ok((*smaller(&frame, THUMBNAIL_PX)).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pictures::encode::{self, Encoding, Existing, Format};

    #[test]
    fn small_pictures_are_made_of_pictures_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let frame = Frame::from_fn(960, 320, |x, y| [x as u8, y as u8, 3, 255]);
        let png = Encoding::of(Format::Png);
        encode::save(&path("a.png"), &frame, None, png, Existing::Keep).expect("saved");
        let made = small(&path("a.png")).expect("a picture");
        assert_eq!((made.width(), made.height()), (THUMBNAIL_PX, 64));
        let image: &[u8] = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
        let head: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff";
        for (images, moves) in
            [(vec![head, image, b";"], false), (vec![head, image, image, b";"], true)]
        {
            fs::write(path("a.gif"), images.concat()).expect("written");
            assert_eq!(SmallPicture::of(&path("a.gif")).moves, moves);
        }

        let whole = fs::read(path("a.png")).expect("read");
        fs::write(path("cut.png"), &whole[..whole.len() / 2]).expect("written");
        fs::write(path("text.png"), "no picture").expect("written");
        fs::create_dir(path("folder.png")).expect("made");
        // A sparse file that uses no disk space.
        let huge = fs::File::create(path("huge.png")).expect("made");
        huge.set_len(MAX_BYTES + 1).expect("long");
        // 20,000 x 20,000 pixels, by its header.
        let mut wide = whole.clone();
        wide[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
        fs::write(path("wide.png"), &wide).expect("written");
        for (name, why) in [
            ("cut.png", "damaged"),
            ("text.png", "is not a picture"),
            ("folder.png", "is not a regular file"),
            ("huge.png", "is too large"),
            ("wide.png", "wide.png"),
            ("none.png", "no longer exists"),
        ] {
            let said = small(&path(name)).expect_err(name);
            assert!(said.contains(why), "{name}: {said}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_the_place_of_a_painting_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe.png");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        let said = small(&pipe).expect_err("a pipe");
        assert!(said.contains("is not a regular file"), "{said}");
    }
}
