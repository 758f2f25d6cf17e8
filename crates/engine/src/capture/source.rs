//! The names of live sources, for users and settings.

use std::{
    ffi::OsStr,
    fmt::{Display, Formatter},
    path::PathBuf,
    str::FromStr,
};

use media::incoming::Address;
use pictures::folder::is_film;

/// Prefix of a camera's name.
const CAMERA: &str = "camera";
const DEMO: &str = "demo";

/// A source of live pictures.
///
/// Written and parsed as `demo`, `camera` (the first one), `camera:NAME`, an [`Address`], or a path. `/dev/videoN` is a
/// camera. A password in an address is not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    Camera(CameraId),
    /// A picture file: one frame.
    Photo(PathBuf),
    /// A folder of picture files, shown one after another.
    Folder(PathBuf),
    /// A video file, looped.
    Video(PathBuf),
    /// A screen, a window or a network stream.
    Stream(Address),
    /// The built-in animated scene.
    #[default]
    Demo,
}

/// A camera's stable name. It is the system's name of the device itself, so it stays the same after unplugging and
/// after a restart, on systems that can identify devices.
///
/// Cameras are also found by their display name, or by a part of it that is unique.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CameraId(String);

impl CameraId {
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The first camera of the system.
    pub fn first() -> Self {
        Self::default()
    }

    /// The name; empty for the first camera.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for CameraId {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Source {
    type Err = &'static str;

    /// Checks the file system to distinguish a folder from a file, and its name to distinguish a video from a photo. A
    /// missing path counts as a file, so that opening it reports that. Checks no cameras.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(
                "use demo, camera, camera:NAME, a photo, a video, a folder of photos, screen, or the address of a stream",
            );
        }
        if text == DEMO {
            return Ok(Self::Demo);
        }
        if text == CAMERA {
            return Ok(Self::Camera(CameraId::first()));
        }
        if let Some(name) = text.strip_prefix(CAMERA).and_then(|t| t.strip_prefix(':')) {
            return Ok(Self::Camera(CameraId::new(name.trim())));
        }
        if text.starts_with("/dev/video") {
            return Ok(Self::Camera(CameraId::new(text)));
        }
        Ok(Address::new(text).map_or_else(|| Self::at(PathBuf::from(text)), Self::Stream))
    }
}

impl Source {
    /// As [`FromStr`], for a name that may not be valid Unicode.
    ///
    /// # Errors
    /// As [`FromStr`].
    pub fn from_name(name: &OsStr) -> Result<Self, &'static str> {
        name.to_str().map_or_else(|| Ok(Self::at(PathBuf::from(name))), str::parse)
    }

    fn at(path: PathBuf) -> Self {
        if path.is_dir() {
            Self::Folder(path)
        } else if is_film(&path) {
            Self::Video(path)
        } else {
            Self::Photo(path)
        }
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Demo => f.pad(DEMO),
            Self::Camera(id) if *id == CameraId::first() => f.pad(CAMERA),
            Self::Camera(id) => write!(f, "{CAMERA}:{id}"),
            Self::Stream(address) => write!(f, "{address}"),
            Self::Photo(path) | Self::Folder(path) | Self::Video(path) => {
                write!(f, "{}", path.display())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_files_are_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        for source in [
            Source::Demo,
            Source::Camera(CameraId::first()),
            Source::Camera(CameraId::new("usb-046d_C920-video-index0")),
            Source::Photo(PathBuf::from("no such/photo.jpg")),
            Source::Folder(folder.path().to_owned()),
            Source::Video(PathBuf::from("no such/clip.MP4")),
            Source::Stream(Address::new("rtsp://host/live").expect("an address")),
        ] {
            assert_eq!(source.to_string().parse(), Ok(source.clone()));
        }
        assert!("".parse::<Source>().is_err_and(|why| why.starts_with("use demo, camera")));
        assert_eq!("camera: Front".parse(), Ok(Source::Camera(CameraId::new("Front"))));
        let device = Source::Camera(CameraId::new("/dev/video0"));
        assert_eq!("/dev/video0".parse(), Ok(device));
    }
}
