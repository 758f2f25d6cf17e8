//! A second open handle of a device, which never streams. It reports whether the streaming handle has a frame ready.

use std::time::{Duration, Instant};

use super::Node;
use crate::capture::{format::CameraFormat, problem::CaptureProblem};

/// A frame that was already there is returned within this time.
const AT_ONCE: Duration = Duration::from_millis(2);
/// Maximum wait for an announcement from a driver that has not made any. Less than the minimum patience with a running
/// camera.
const UNANNOUNCED_AFTER: Duration = Duration::from_millis(250);
/// Number of frames that arrived unannounced before announcements are no longer waited for.
const MAX_UNANNOUNCED: u32 = 2;

/// A second open handle of a device whose first handle streams.
pub struct ProbeStream {
    node: Node,
    announces: Announces,
    requested_at: Instant,
    arrived_at: Instant,
}

/// How the driver announces frames to this handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announces {
    /// Nothing is sent before the first frame is requested.
    NotYet,
    /// Unknown; this many frames arrived unannounced.
    Perhaps(u32),
    Yes,
    No,
}

impl ProbeStream {
    /// The state before the first frame.
    pub fn new(node: Node) -> Self {
        Self {
            node,
            announces: Announces::NotYet,
            requested_at: Instant::now(),
            arrived_at: Instant::now(),
        }
    }

    /// Waits until a frame is announced, at most `patience`. Returns whether to request one. A request without an
    /// announcement may block for as long as the camera takes.
    ///
    /// # Errors
    /// [`CaptureProblem`] if the system refuses.
    pub fn wait(&mut self, patience: Duration) -> Result<bool, CaptureProblem> {
        let request = match self.announces {
            Announces::NotYet | Announces::No => true,
            Announces::Yes => self.node.wait(patience)?,
            Announces::Perhaps(_) => {
                let announced = self.node.wait(patience)?;
                if announced {
                    self.announces = Announces::Yes;
                }
                announced || self.arrived_at.elapsed() > UNANNOUNCED_AFTER
            }
        };
        self.requested_at = Instant::now();
        Ok(request)
    }

    /// Must be called when a requested frame has arrived.
    pub fn frame_arrived(&mut self) {
        self.arrived_at = Instant::now();
        self.announces =
            self.announces.after_frame(self.arrived_at.duration_since(self.requested_at));
    }

    /// True if the camera still sends as `agreed`, as far as the driver reports.
    pub fn sends_as(&self, agreed: &CameraFormat) -> bool {
        self.node.sends_as(agreed)
    }
}

impl Announces {
    /// The state after a frame that took `took` to arrive.
    fn after_frame(self, took: Duration) -> Self {
        match self {
            Self::NotYet => Self::Perhaps(0),
            Self::Perhaps(unannounced) if took < AT_ONCE => {
                if unannounced + 1 < MAX_UNANNOUNCED {
                    Self::Perhaps(unannounced + 1)
                } else {
                    Self::No
                }
            }
            known => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_that_announce_nothing_are_not_waited_for() {
        let mut announces = Announces::NotYet.after_frame(Duration::ZERO);
        let slow = announces.after_frame(Duration::from_millis(150));
        assert_eq!(slow, announces, "a slow camera may announce");
        for _ in 0..MAX_UNANNOUNCED {
            assert!(matches!(announces, Announces::Perhaps(_)));
            announces = announces.after_frame(Duration::ZERO);
        }
        assert_eq!(announces, Announces::No);
        let known = Announces::Yes.after_frame(Duration::ZERO);
        assert_eq!(known, Announces::Yes);
    }
}
