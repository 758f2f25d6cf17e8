//! Events of a source, and its problems in words that say what to do.

use super::format::CameraFormat;

/// Something that happened to a source.
#[derive(Clone, Debug, PartialEq)]
pub enum CaptureEvent {
    /// Frames come from now on, or again.
    Started {
        /// The source in words.
        described: String,
        /// How a camera sends.
        format: Option<CameraFormat>,
    },
    /// No frames come at present; the source is tried again until they do. Sent once for each problem.
    Waiting(CaptureProblem),
    /// One picture of a folder was left out; the next one comes.
    Skipped(CaptureProblem),
    /// No frames will come any more.
    Ended(CaptureProblem),
}

/// Why no frames come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureProblem {
    /// The system knows no camera.
    #[error("no camera found; it is used as soon as you connect one")]
    NoCamera,
    /// The system knows cameras, but not this one.
    #[error("there is no camera {name}{}", instead(known))]
    Unknown {
        /// The name that was looked for.
        name: String,
        /// The names of the cameras that are there.
        known: Vec<String>,
    },
    /// The name fits several cameras.
    #[error("several cameras are named {name}; choose one of: {}", known.join(", "))]
    Ambiguous {
        /// The name that was looked for.
        name: String,
        /// The stable names of the cameras that it fits.
        known: Vec<String>,
    },
    /// Another program has the camera.
    #[error("another program is using the camera; close it there to continue")]
    Busy,
    /// The person may not open the device.
    #[error("the camera may not be opened: {hint}")]
    Denied {
        /// What to do.
        hint: String,
    },
    /// The camera went away while it was used.
    #[error("the camera was disconnected; connect it again to continue")]
    Unplugged,
    /// The camera is there and sends nothing.
    #[error(
        "the camera has sent nothing for {ms} ms and is reopened; if that does not help, disconnect and reconnect it"
    )]
    Stalled {
        /// Milliseconds without a frame.
        ms: u64,
    },
    /// The camera sends in another format than agreed.
    #[error("the camera changed its format and is reopened")]
    FormatChanged,
    /// The camera sends in no format that is understood.
    #[error(
        "the camera sends no supported format (MJPEG, YUYV, NV12, RGB or grey), only: {offered}; use another camera"
    )]
    NoFormat {
        /// What it offers instead.
        offered: String,
    },
    /// The camera claims a size that no frame has.
    #[error(
        "the camera reports frames of {width} x {height} pixels, which is not supported; choose another size or camera"
    )]
    FrameSize {
        /// Columns, in pixels.
        width: u32,
        /// Rows, in pixels.
        height: u32,
    },
    /// Frames come, but none of them can be read.
    #[error(
        "all frames of the camera arrive damaged; choose a smaller size or another format, or try another cable or port"
    )]
    Damaged,
    /// The system refuses for a reason of its own.
    #[error("the camera does not work: {0}; disconnect and reconnect it")]
    Device(String),
    /// A photo or folder cannot be used.
    #[error("{0}")]
    Photo(String),
}

/// The advice when a camera is not among the known ones.
fn instead(known: &[String]) -> String {
    match known {
        [] => ", or any other; it is used as soon as you connect it".to_owned(),
        known => format!("; plug it in, or choose one of: {}", known.join(", ")),
    }
}

impl CaptureProblem {
    /// Whether both are the same problem, whatever the numbers in them.
    pub fn is_same_kind(&self, other: &Self) -> bool {
        match (self, other) {
            // Another list of cameras is another problem.
            (Self::Unknown { .. }, Self::Unknown { .. }) => self == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// Why cameras, or the formats of one, could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The system does not list its cameras.
    #[error("the system's cameras could not be listed: {0}")]
    List(String),
    /// A camera does not list its formats.
    #[error(transparent)]
    Camera(#[from] CaptureProblem),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_camera_is_named_beside_those_that_are_there() {
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
