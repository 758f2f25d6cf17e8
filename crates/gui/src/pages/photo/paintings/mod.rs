//! The strip of thumbnails below the photo: the photos that were opened together, then the saved paintings, which are
//! kept across restarts. A click opens a photo, or shows a painting large instead of it; for a video, its first frame
//! with a button that plays it. A folder that was painted is one tile, which unfolds into its pictures.
//!
//! The list of recently opened photos has the same kind of thumbnails.
//!
//! The settings contain the lists of files. Thumbnails are made in the background, one after the other, for what is
//! visible and then for what is next to it. Those that were not drawn for the longest time are dropped.

mod flow;
mod strip;
pub use {
    super::command::FileList,
    flow::is_low,
    strip::{Tile, Viewed},
};

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use eframe::egui::{self, TextureHandle};

use super::opened::{Opened, Origin, PAINTED, from_clipboard, if_there, opened, smaller};
use crate::{
    shell::tasks::OrText,
    widgets::{
        label::{path_label, stem},
        texture::{MIPMAPPED, image_of},
    },
};
use itertools::Itertools;
use media::record::beginning_of;
use pictures::{
    decode,
    folder::{Folder, is_animated, is_film},
};
use settings::painted_with;
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
    /// The pictures of a folder.
    files: Option<Vec<PathBuf>>,
    /// The frame of the strip in which it was last drawn.
    drawn_in: Cell<u64>,
}

/// The strip, and the painting that is shown large.
#[derive(Default)]
pub struct Paintings {
    thumbnails: HashMap<PathBuf, Thumbnail>,
    /// Files that have changed since their thumbnail was made.
    outdated: HashSet<PathBuf>,
    /// The files that are visible on the strip, and those next to them.
    needed: Vec<PathBuf>,
    /// Number of frames in which the strip was drawn.
    frames: u64,
    /// The photos and videos that were opened together.
    pub set: Arc<Vec<PathBuf>>,
    /// Those of the set with a saved painting.
    pub painted: HashSet<PathBuf>,
    /// The photo of the set that the keys led to, until it is on the table.
    pub at: Option<PathBuf>,
    /// It is opened after the photo that is being opened.
    pub is_behind: bool,
    /// The folder whose pictures are shown next to its tile.
    unfolded: Option<PathBuf>,
    /// The file whose thumbnail is being made.
    running: Option<PathBuf>,
    /// Scrolls the photo on the table, or the painting that is shown large, into view; without them, the first tile.
    scrolls: bool,
    /// The painting that is being opened.
    pub opening: Option<PathBuf>,
    /// The painting that is shown large instead of the photo.
    pub viewed: Option<Viewed>,
    /// The strip is open in a low window, where it takes space from the picture.
    is_open_low: bool,
}

impl Paintings {
    /// Notes that this file was written.
    fn note_written(&mut self, path: &Path) {
        self.outdated.insert(path.to_owned());
        self.scrolls = true;
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
            files: None,
        });
        let texture = |frame| ctx.load_texture("painting small", image_of(&frame), MIPMAPPED);
        let SmallPicture { stamp, moves, picture, files } = small;
        let drawn_in = Cell::new(self.frames);
        let thumbnail = Thumbnail { stamp, moves, picture: picture.map(texture), files, drawn_in };
        self.thumbnails.insert(path, thumbnail);
        self.drop_old();
    }

    /// Drops the textures that were not drawn for the longest time if there are too many.
    fn drop_old(&mut self) {
        // Folders, which are few, keep the list of their pictures.
        let bytes = |thumbnail: &Thumbnail| match &thumbnail.picture {
            Ok(texture) if thumbnail.files.is_none() => texture.byte_size(),
            _ => 0,
        };
        while self.thumbnails.values().map(bytes).sum::<usize>() > MAX_TEXTURES
            && let Some(oldest) = (self.thumbnails.iter())
                .filter(|(_, thumbnail)| bytes(thumbnail) > 0)
                .min_by_key(|(_, thumbnail)| thumbnail.drawn_in.get())
                .map(|(path, _)| path.clone())
        {
            self.thumbnails.remove(&oldest);
        }
    }

    /// The pictures of a folder, if `path` is one.
    fn files_in(&self, path: &Path) -> Option<&[PathBuf]> {
        self.thumbnails.get(path)?.files.as_deref()
    }

    /// Notes the photo on the table.
    pub fn follow_put(&mut self) {
        self.at.take_if(|_| !self.is_behind);
        self.scrolls = true;
    }

    /// True if the file did not exist when its thumbnail was made. It is not shown, but stays in the list: its disk may
    /// be connected again.
    fn is_gone(&self, path: &Path) -> bool {
        self.thumbnails.get(path).is_some_and(|thumbnail| thumbnail.stamp.is_none())
            && !self.outdated.contains(path)
    }

    /// Files that have thumbnails, with the file versions of these.
    fn stamps(&self) -> Vec<(PathBuf, Option<Stamp>)> {
        self.thumbnails.iter().map(|(path, seen)| (path.clone(), seen.stamp)).collect()
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
/// Maximum size of all textures of thumbnails, in bytes; more than a screen needs.
const MAX_TEXTURES: usize = 32 << 20;
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
    /// The pictures of a folder.
    files: Option<Vec<PathBuf>>,
}

impl SmallPicture {
    pub fn of(path: &Path) -> Self {
        let files = path.is_dir().then(|| pictures_in(path));
        let moves = moves(path);
        let first = files.iter().flatten().next().map_or(path, |first| first);
        let picture = small(first);
        Self { stamp: Stamp::of(path), moves, picture, files }
    }
}

/// True for a video and for an animated picture. Reads the file.
fn moves(path: &Path) -> bool {
    is_film(path) || is_animated(path)
}

/// The pictures and videos of a folder, by name.
fn pictures_in(folder: &Path) -> Vec<PathBuf> {
    Folder::open(folder).map_or_else(|_| Vec::new(), |folder| folder.with_films().photos)
}

/// Those of `photos` that these files are paintings of, by their names: `beach-candy.png` is one of `beach.jpg`.
fn photos_of(files: &[PathBuf], photos: &[PathBuf]) -> Vec<PathBuf> {
    let by_stem: HashMap<_, _> = photos.iter().map(|photo| (stem(photo), photo)).collect();
    let photo_of = |file: &PathBuf| {
        let name = stem(file);
        let ends = name.rmatch_indices('-');
        ends.map(|(end, _)| &name[..end]).find_map(|name| by_stem.get(name)).copied().cloned()
    };
    files.iter().filter_map(photo_of).collect()
}

/// Those of `photos` with a painting in the folder for paintings next to them. Reads folders.
pub fn painted_before(photos: &[PathBuf]) -> Vec<PathBuf> {
    let folders = photos.iter().filter_map(|photo| photo.parent()).unique();
    let painted = folders.map(|folder| pictures_in(&folder.join(PAINTED)));
    painted.flat_map(|paintings| photos_of(&paintings, photos)).collect()
}

/// A painting that was read from its file.
pub struct OpenedPainting {
    pub opened: Box<Opened>,
    /// Its settings: keywords and texts; empty if its file does not contain them.
    pub texts: Vec<(String, String)>,
    /// It is a video or an animated picture.
    pub moves: bool,
}

/// Opens a painting, or the first frame of a video. Returns `None` if the file is gone.
pub fn open_painting(path: PathBuf) -> Result<Option<OpenedPainting>, String> {
    if_there(&path, || {
        let origin = Origin::File(path.clone());
        if path.is_file() && is_film(&path) {
            let opened = Opened { origin, ..from_clipboard(beginning_of(&path, None)?) };
            return Ok(OpenedPainting { opened: Box::new(opened), texts: Vec::new(), moves: true });
        }
        // First of all, because this refuses what is no regular file.
        let opened = opened(origin)?;
        Ok(OpenedPainting { opened, texts: painted_with::read(&path), moves: moves(&path) })
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

    #[test]
    fn old_textures_are_dropped_and_the_newest_stay() {
        let mut paintings = Paintings::default();
        let path = |n: usize| PathBuf::from(format!("{n}.png"));
        for n in 0..300 {
            paintings.frames += 1;
            let picture = Ok(Frame::from_fn(THUMBNAIL_PX, THUMBNAIL_PX, |_, _| [1, 2, 3, 255]));
            let small = SmallPicture { stamp: None, moves: false, picture, files: None };
            paintings.take_in(&egui::Context::default(), path(n), Ok(small));
        }
        let kept = MAX_TEXTURES / (4 * THUMBNAIL_PX * THUMBNAIL_PX);
        assert_eq!(paintings.thumbnails.len(), kept);
        assert!(paintings.small(&path(299)).is_some() && paintings.small(&path(0)).is_none());
    }

    #[test]
    fn a_painting_belongs_to_the_photo_with_the_longest_name() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let photos = paths(&["in/a.jpg", "in/a-2.jpg", "in/b.jpg"]);
        let files = paths(&["a-2-candy.png", "b-candy-3.png", "b.png", "c-candy.png"]);
        assert_eq!(photos_of(&files, &photos), paths(&["in/a-2.jpg", "in/b.jpg"]));
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
