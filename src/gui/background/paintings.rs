//! Tasks of the strip of paintings: small pictures are made of files, files looked at again, and one is opened to be
//! seen.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Background, Opened, Origin, Report, SmallPicture, Stamp, THUMBNAIL_PX, caught, mistake,
    opening::{from_clipboard, opened, smaller},
};
use crate::{
    disk::words,
    frame::Frame,
    gui::label::path_label,
    media::{
        decode,
        record::{Destination, beginning_of},
        scale::{scaling_bytes, size_within},
    },
};

/// Largest file, and most memory to read it, of which a small picture is made, in bytes: nobody waits for one.
const MOST_BYTES: u64 = 512 << 20;

impl Background {
    /// Makes a small picture of a file; [`Report::Thumbnail`].
    pub fn make_thumbnail(&self, path: PathBuf) {
        self.send(move || {
            let stamp = Stamp::of(&path);
            let name = path_label(&path);
            let picture = caught(|| small(&path)).unwrap_or_else(|panic| {
                Err(format!("{name} could not be shown: {}", mistake(&panic)))
            });
            Report::Thumbnail { path, small: SmallPicture { stamp, picture } }
        });
    }

    /// Looks which of these files are others than they were; [`Report::PaintingsChanged`].
    pub fn look_at_paintings(&self, stamps: Vec<(PathBuf, Option<Stamp>)>) {
        self.send(move || {
            let is_other = |(path, stamp): &(PathBuf, Option<Stamp>)| Stamp::of(path) != *stamp;
            let others = stamps.into_iter().filter(is_other);
            Report::PaintingsChanged(others.map(|(path, _)| path).collect())
        });
    }

    /// Opens a painting to be seen; [`Report::PaintingOpened`].
    pub fn open_painting(&self, path: PathBuf) {
        self.send(move || Report::PaintingOpened {
            result: match fs::metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Ok(about) if about.is_file() && Destination::has_video_ending(&path) => {
                    beginning_of(&path, None).map(|frame| {
                        Some(Box::new(Opened {
                            origin: Origin::File(path.clone()),
                            ..from_clipboard(frame)
                        }))
                    })
                }
                _ => opened(Origin::File(path.clone())).map(Some),
            },
            path,
        });
    }
}

/// A picture in a file, small.
fn small(path: &Path) -> Result<Frame, String> {
    let name = path_label(path);
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("{name} is no longer there."));
        }
        Err(error) => return Err(format!("{name} could not be read: {}.", words(&error))),
    };
    // Asked before opening: opening a pipe would wait for its writer.
    if !about.is_file() {
        return Err(format!("{name} is not a plain file."));
    }
    if Destination::has_video_ending(path) {
        let first = Arc::new(beginning_of(path, Some(THUMBNAIL_PX))?);
        return Ok((*smaller(&first, THUMBNAIL_PX)).clone());
    }
    let too_large = || format!("{name} is too large for a small picture of it.");
    if about.len() > MOST_BYTES {
        return Err(too_large());
    }
    let said = |error: crate::media::MediaError| error.to_string();
    let bytes = decode::bytes_of_path(path).map_err(said)?;
    let needs = decode::needs(&name, &bytes).map_err(said)?;
    let size = (needs.width, needs.height);
    let scaling = scaling_bytes(size, size_within(size.0, size.1, THUMBNAIL_PX), false);
    if needs.bytes + scaling > MOST_BYTES {
        return Err(too_large());
    }
    let photo = decode::from_bytes(&name, &bytes).map_err(said)?;
    Ok((*smaller(&photo.frame, THUMBNAIL_PX)).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::encode::{self, Encoding, Existing, Format};

    #[test]
    fn small_pictures_are_made_of_pictures_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let frame = Frame::from_fn(960, 320, |x, y| [x as u8, y as u8, 3, 255]);
        let png = Encoding::of(Format::Png);
        encode::save(&path("a.png"), &frame, None, png, Existing::Keep).expect("saved");
        let made = small(&path("a.png")).expect("a picture");
        assert_eq!((made.width(), made.height()), (THUMBNAIL_PX, 64));

        let whole = fs::read(path("a.png")).expect("read");
        fs::write(path("cut.png"), &whole[..whole.len() / 2]).expect("written");
        fs::write(path("text.png"), "no picture").expect("written");
        fs::create_dir(path("folder.png")).expect("made");
        // No byte of it lies on the disk.
        let huge = fs::File::create(path("huge.png")).expect("made");
        huge.set_len(MOST_BYTES + 1).expect("long");
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
            ("none.png", "is no longer there"),
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
