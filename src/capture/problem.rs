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
    #[error("no camera is connected; plug one in and it is used at once")]
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
    #[error("several cameras are called {name}; choose one of: {}", known.join(", "))]
    Ambiguous {
        /// The name that was looked for.
        name: String,
        /// The stable names of the cameras that it fits.
        known: Vec<String>,
    },
    /// Another program has the camera.
    #[error("another program uses the camera; close it there and it is used at once")]
    Busy,
    /// The person may not open the device.
    #[error("the camera may not be opened: {hint}")]
    Denied {
        /// What to do.
        hint: String,
    },
    /// The camera went away while it was used.
    #[error("the camera was unplugged; plug it in again and it goes on at once")]
    Unplugged,
    /// The camera is there and sends nothing.
    #[error(
        "the camera has sent nothing for {ms} ms and is opened again; if that does not help, unplug it and plug it in again"
    )]
    Stalled {
        /// Milliseconds without a frame.
        ms: u64,
    },
    /// The camera sends in another format than agreed.
    #[error("the camera changed its format and is opened again")]
    FormatChanged,
    /// The camera sends in no format that is understood.
    #[error(
        "the camera sends in no format that can be read (MJPEG, YUYV, NV12, RGB or grey), only in: {offered}; use another camera"
    )]
    NoFormat {
        /// What it offers instead.
        offered: String,
    },
    /// The camera claims a size that no frame has.
    #[error(
        "the camera says that its frames have {width} x {height} pixels, which is not taken; choose another size, or use another camera"
    )]
    FrameSize {
        /// Columns, in pixels.
        width: u32,
        /// Rows, in pixels.
        height: u32,
    },
    /// Frames come, but none of them can be read.
    #[error(
        "all frames of the camera arrive damaged; choose a smaller size or another format, or try another cable or socket"
    )]
    Damaged,
    /// The system refuses for a reason of its own.
    #[error("the camera does not work: {0}; unplug it and plug it in again")]
    Device(String),
    /// A photo or folder cannot be used.
    #[error("{0}")]
    Photo(String),
}

/// The advice when a camera is not among the known ones.
fn instead(known: &[String]) -> String {
    match known {
        [] => ", nor any other; plug it in and it is used at once".to_owned(),
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
            "there is no camera Front, nor any other; plug it in and it is used at once"
        );
        assert_eq!(
            unknown(&["Back", "Top"]),
            "there is no camera Front; plug it in, or choose one of: Back, Top"
        );
    }
}
