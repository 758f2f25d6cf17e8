//! Live painting on a scripted device, with a clock controlled by the tests, and on the engine's thread.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

#[path = "../../../../tests/support/home.rs"]
mod home;
#[path = "../../../../tests/support/mod.rs"]
mod support;

mod engine;
mod frames;
mod microphone;
mod opening;
mod raw;
mod recording;
mod studio;
mod style_picture;
mod upscale;
