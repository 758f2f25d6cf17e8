//! Live pictures: the newest frame of a source is painted, again and again.
//!
//! The engine owns the whole way: it starts the source ([`Input`]), paints frames by the newest
//! [`LiveSettings`] and hands the pictures to its sinks, a mailbox for the surface and a recording. A surface
//! sends settings, which are a value, and shows pictures and [`Snapshot`]s, which are values too. Frames come
//! in and pictures go out through [mailboxes](crate::mailbox), so neither the source nor the surface is ever
//! waited for; the rate control finds the working size and tells the source what it should send.
//!
//! Sessions are leased from the device's [pool](super::sessions) and loaded beside those that paint; the
//! scheduler decides which are wanted, which are opening and which serve. What was painted before goes on
//! until the new ones are open, and stays when they cannot be had, which comes as an event. A lost device is replaced
//! as for photos. After the first frames of some settings nothing is allocated for a frame, unless two modes
//! are compared.
//!
//! Knows no window and no arguments. Everything here belongs to the engine's thread.

mod clock;
mod compare;
mod frame_loop;
mod inbox;
mod input;
mod measuring;
pub mod meter;
mod pace;
mod picture;
mod previews;
pub mod rate_control;
mod run;
mod sampler;
mod scheduler;
mod settings;
mod snapshot;
mod target;
mod targets;
mod wanted;

pub use clock::Clock;
pub use input::{Input, LiveSource, SourceState};
pub use picture::{Facts, LivePicture, ModePairTimes, Stages};
pub use run::{Live, LiveStart, Served};
pub use settings::{
    Candidate, DEFAULT_TARGET_FPS, LiveEvent, LiveSample, LiveSettings, LiveSize, MeasureJob,
    ModePair, NumberedSettings, Preview, PreviewPicture,
};
pub use snapshot::{Preparing, Snapshot};
