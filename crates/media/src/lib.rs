//! Films and recordings through the user's ffmpeg, and what is drawn into or cut out of pictures: framing, upscaling,
//! contact sheets.
//!
//! It does not know styles, devices and windows. It may use `pictures`, `threads` and `values`. Calls block; they may
//! be made from any thread.

// Tests share a file with those of the crates above.
#[cfg(test)]
extern crate self as media;
#[cfg(all(test, unix))]
#[path = "../../../tests/support/fake_ffmpeg.rs"]
mod fake_ffmpeg;
#[cfg(all(test, unix))]
#[path = "../../../tests/support/films.rs"]
mod films;
#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

#[cfg(feature = "drawing")]
pub mod canvas;
pub mod codec;
pub mod encoder;
pub mod ffmpeg;
pub mod film;
pub mod framing;
pub mod incoming;
pub mod memory;
pub mod nut;
pub mod record;
pub mod resample;
#[cfg(feature = "drawing")]
pub mod sheet;
pub mod upscale;
