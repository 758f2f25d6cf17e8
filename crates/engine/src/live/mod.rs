//! Live painting: continuously paints the newest frame of a source.
//!
//! The engine owns the whole pipeline. It starts the source ([`Input`]), paints frames with the newest [`LiveSettings`]
//! and sends the pictures to a mailbox for the surface and to sinks such as a recording. A surface sends settings and
//! shows pictures and [`Snapshot`]s; all of these are plain values. Frames arrive and pictures leave through
//! [mailboxes](values::mailbox), so the engine never waits for the source or the surface. The rate control finds the
//! working size and the size that the source's frames should have.
//!
//! Sessions are leased from the device's [pool](super::sessions). A render target is the session that paints the large
//! picture, or the two that are compared. The scheduler tracks three targets: the goal, which follows from the
//! settings; the target that is opening; and the serving target, which paints until the goal is open. If the goal
//! cannot be opened, an event reports it and the serving target stays. A lost device is replaced as for photos. After
//! the first frames with new settings, frames allocate nothing, unless two modes are compared
//! or the host steadies them.
//!
//! Knows no window and no arguments. Everything here belongs to the engine's thread.

mod compare;
mod frame_cost;
mod frame_loop;
mod inbox;
mod input;
mod live_sessions;
mod measuring;
pub mod meter;
mod pace;
mod picture;
mod previews;
pub mod rate_control;
mod run;
mod sampler;
mod scaler;
mod scheduler;
mod settings;
mod sink;

pub use input::{Input, LiveSource, SourceState};
pub use pace::Clock;
pub use picture::{Facts, LivePicture, ModePairTimes, Stages};
pub use run::{Live, LiveStart, Served};
pub use settings::{
    CandidateChoice, DEFAULT_TARGET_FPS, LiveEvent, LiveSample, LiveSettings, LiveSize, MeasureJob,
    ModePair, NumberedSettings, Preparing, Preview, PreviewPicture, Snapshot,
};
pub use sink::Sinks;
