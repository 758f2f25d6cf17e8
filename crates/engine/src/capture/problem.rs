//! Events of a source, and its problems as messages that tell the user what to do.

use super::format::CameraFormat;

#[derive(Clone, Debug, PartialEq)]
pub enum CaptureEvent {
    /// Frames arrive from now on, or again.
    Started {
        /// The source as text.
        described: String,
        /// The format of a camera's frames.
        format: Option<CameraFormat>,
    },
    /// No frames arrive; the source is retried until they do. Sent once for each problem.
    Waiting(CaptureProblem),
    /// What decoding a photo lost, after the photo's name.
    Note(String),
    /// One picture of a folder was skipped; the folder continues.
    Skipped(CaptureProblem),
    /// No more frames will arrive.
    Ended(CaptureProblem),
}

/// Why no frames arrive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureProblem {
    /// The system has no camera.
    #[error("no camera found; it is used as soon as you connect one")]
    NoCamera,
    /// This build draws nothing.
    #[error("this build of StyleForge has no demo scene; choose a camera or a file")]
    NoDemo,
    /// The system has cameras, but not this one.
    #[error("there is no camera {name}{}", instead(known))]
    Unknown {
        /// The requested name.
        name: String,
        /// The names of the available cameras.
        known: Vec<String>,
    },
    /// The name matches several cameras.
    #[error("several cameras are named {name}; choose one of: {}", known.join(", "))]
    Ambiguous {
        /// The requested name.
        name: String,
        /// The stable names of the matching cameras.
        known: Vec<String>,
    },
    /// Camera out writes to it.
    #[error("this camera shows the painting itself; choose another source")]
    ShowsPainting,
    /// Another program uses the camera.
    #[error("another program is using the camera; close it there to continue")]
    Busy,
    /// The user has no permission to open the device.
    #[error("the camera may not be opened: {hint}")]
    Denied {
        /// What to do.
        hint: String,
    },
    /// The camera was disconnected while in use.
    #[error("the camera was disconnected; connect it again to continue")]
    Unplugged,
    /// The camera is connected but sends nothing.
    #[error(
        "the camera has sent nothing for {ms} ms and is reopened; if that does not help, disconnect and reconnect it"
    )]
    Stalled {
        /// Milliseconds without a frame.
        ms: u64,
    },
    /// The camera sends another format than negotiated.
    #[error("the camera changed its format and is reopened")]
    FormatChanged,
    /// The camera offers no supported format.
    #[error(
        "the camera sends no format that StyleForge reads, only: {offered}; set the camera to MJPEG or an uncompressed \
         format (such as YUYV or NV12), or use another camera"
    )]
    NoFormat {
        /// The formats that it offers.
        offered: String,
    },
    /// The camera claims an impossible frame size.
    #[error(
        "the camera reports frames of {width} x {height} pixels, which is not supported; choose another size or camera"
    )]
    FrameSize {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// Frames arrive, but none can be decoded.
    #[error(
        "all frames of the camera arrive damaged; choose a smaller size or another format, or try another cable or port"
    )]
    Damaged,
    /// Any other error of the system.
    #[error("the camera does not work: {0}; disconnect and reconnect it")]
    Device(String),
    /// A photo or folder cannot be used.
    #[error("{0}")]
    Photo(String),
    /// A screen or stream sends nothing.
    #[error("no picture comes from {name} ({why}); it is tried again every 2 s")]
    Stream {
        /// The address, without secrets.
        name: String,
        why: String,
    },
    /// A video cannot be read.
    #[error("{0}")]
    Video(String),
}

/// The advice if a camera is not among the known ones.
fn instead(known: &[String]) -> String {
    match known {
        [] => ", or any other; it is used as soon as you connect it".to_owned(),
        known => format!("; plug it in, or choose one of: {}", known.join(", ")),
    }
}

impl CaptureProblem {
    /// The camera offers no format.
    pub(super) fn no_format() -> Self {
        Self::NoFormat { offered: "none".to_owned() }
    }

    /// True if both are the same problem, ignoring the numbers in them.
    pub fn is_same_kind(&self, other: &Self) -> bool {
        match (self, other) {
            // A different list of cameras is a different problem.
            (Self::Unknown { .. }, Self::Unknown { .. }) => self == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// Why cameras, or the formats of one, could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    #[error("the system's cameras could not be listed: {0}")]
    List(String),
    #[error(transparent)]
    Camera(#[from] CaptureProblem),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_camera_is_named_with_those_that_exist() {
        let unknown = |known: &[&str]| {
            let known = known.iter().map(|&k| k.to_owned()).collect();
            let name = "Front".to_owned();
            CaptureProblem::Unknown { name, known }.to_string()
        };
        assert_eq!(
            unknown(&[]),
            "there is no camera Front, or any other; it is used as soon as you connect it"
        );
        assert_eq!(
            unknown(&["Back", "Top"]),
            "there is no camera Front; plug it in, or choose one of: Back, Top"
        );
    }
}
