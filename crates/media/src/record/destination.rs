//! Selects the form of a recording by the extension of its name and by what this computer can encode.

use std::path::{Path, PathBuf};

use super::{
    Microphone,
    mp4::{Mp4, Mp4Choice},
    output::Output,
    pictures::Pictures,
};
use crate::{
    codec::Codec,
    ffmpeg::{Ffmpeg, NoFfmpeg},
};
use pictures::{MediaError, encode::Format};

/// The form of a recording, and its path.
// There is one for a recording, so its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A folder of pictures, which is created, with a table of their times.
    Pictures {
        folder: PathBuf,
        /// Format of the pictures.
        format: Format,
    },
    /// MP4.
    Mp4 { path: PathBuf, choice: Mp4Choice },
}

impl Destination {
    /// The destination for `path`: a video if it ends in `.mp4`, otherwise a folder of pictures in `format`. A path that
    /// ends in a slash or is an existing folder is also a folder. If no MP4 can be written here, the second part says
    /// why the recording becomes a folder of the same name. Runs ffmpeg, which takes a tenth of a second.
    pub fn of(path: &Path, format: Format, codec: Codec) -> (Self, Option<String>) {
        if Self::is_video_path(path) {
            Self::mp4_or_pictures(path, format, codec, codec.ffmpeg())
        } else {
            (Self::Pictures { folder: path.to_owned(), format }, None)
        }
    }

    /// True if [`Self::of`] makes a video of `path`.
    pub fn is_video_path(path: &Path) -> bool {
        let last = path.as_os_str().as_encoded_bytes().last();
        let ends_in_slash = last.is_some_and(|last| std::path::is_separator(char::from(*last)));
        !ends_in_slash && !path.is_dir() && has_extension(path, &["mp4"])
    }

    /// True if a file name has the extension of a video that this program does not write.
    pub fn is_other_video(path: &Path) -> bool {
        let others = ["avi", "mkv", "mov", "webm", "m4v", "gif", "wmv", "mpg", "mpeg", "ogv"];
        has_extension(path, &others) && !path.is_dir()
    }

    fn mp4_or_pictures(
        path: &Path,
        format: Format,
        codec: Codec,
        ffmpeg: Result<Ffmpeg, NoFfmpeg>,
    ) -> (Self, Option<String>) {
        match ffmpeg {
            Ok(ffmpeg) => {
                let choice = Mp4Choice { codec, ..ffmpeg.into() };
                (Self::Mp4 { path: path.to_owned(), choice }, None)
            }
            Err(why) => {
                let folder = path.with_extension("");
                let note = format!("{why}; recording pictures in {} instead", folder.display());
                (Self::Pictures { folder, format }, Some(note))
            }
        }
    }

    /// The folder or file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Pictures { folder, .. } => folder,
            Self::Mp4 { path, .. } => path,
        }
    }

    /// The microphone that is recorded with it.
    pub fn microphone(&self) -> Option<&Microphone> {
        match self {
            Self::Mp4 { choice, .. } => choice.microphone.as_ref(),
            Self::Pictures { .. } => None,
        }
    }

    pub fn is_video(&self) -> bool {
        matches!(self, Self::Mp4 { .. })
    }

    /// Creates the folder or file.
    pub(super) fn open(&self) -> Result<Box<dyn Output>, MediaError> {
        Ok(match self {
            Self::Pictures { folder, format } => Box::new(Pictures::create(folder, *format)?),
            Self::Mp4 { path, choice } => Box::new(Mp4::create(path, choice.clone())?),
        })
    }
}

/// Whether a file name has one of these extensions, in upper or lower case.
fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let own = path.extension().unwrap_or_default();
    extensions.iter().any(|extension| own.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_ask_for_videos_and_all_else_is_a_folder() {
        let here = tempfile::tempdir().expect("a folder");
        let folder = here.path().join("folder.mp4");
        std::fs::create_dir(&folder).expect("made");
        let folder = folder.to_str().expect("text");
        for (path, is_video) in [
            ("clip.mp4", true),
            ("CLIP.MP4", true),
            ("deep/clip.mp4", true),
            ("clip.mp4/", false),
            ("clip.mp4/take", false),
            ("clip.avi", false),
            ("clip", false),
            ("clip.mkv", false),
            ("mp4", false),
            (".mp4", false),
            ("", false),
            (folder, false),
        ] {
            let path = Path::new(path);
            assert_eq!(Destination::is_video_path(path), is_video, "{path:?}");
        }
        let (pictures, note) = Destination::of(Path::new("take"), Format::Bmp, Codec::H264);
        assert_eq!((pictures.path(), note), (Path::new("take"), None));
        assert!(!pictures.is_video());
        assert!(Destination::is_other_video(Path::new("deep/CLIP.AVI")));
    }

    #[test]
    fn without_ffmpeg_an_mp4_becomes_a_folder_and_says_why() {
        let (path, none) = (Path::new("deep/clip.mp4"), Err(NoFfmpeg::missing()));
        let (pictures, note) = Destination::mp4_or_pictures(path, Format::Png, Codec::H264, none);
        let folder = PathBuf::from("deep/clip");
        assert_eq!(pictures, Destination::Pictures { folder, format: Format::Png });
        let expected =
            "ffmpeg is not installed (not found in PATH); recording pictures in deep/clip instead";
        assert_eq!(note.as_deref(), Some(expected));
    }
}
