//! Shared by the tests of the engine and of the window: the scripted device, pictures and a network.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: each test binary uses a part of it, and a broken test should panic"
)]

pub mod fake;
pub mod real_time;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use fake::*;
use network::{Network, models::johnson::NetworkSpec};
use values::frame::Frame;

/// The picture that the scripted device paints.
pub fn inverted(frame: &Frame) -> Frame {
    Frame::from_fn(frame.width(), frame.height(), |x, y| {
        let [r, g, b, a] = frame.pixel(x, y);
        [255 - r, 255 - g, 255 - b, a]
    })
}

/// A picture with several colours.
pub fn photo(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| [(x % 256) as u8, (y % 256) as u8, 90, 255])
}

/// A minimal network; the scripted device never reads it.
pub fn network() -> Arc<Network> {
    let network = NetworkSpec::with_widths([1, 1, 1]).random(1);
    Arc::new(network.expect("a valid shape"))
}

/// Waits until `look` returns a value.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < real_time::PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
