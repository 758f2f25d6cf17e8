//! What is allocated for each frame: nothing, except inside the JPEG decoder and the vector rasteriser.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use styleforge::capture::{CaptureSettings, Source};

use crate::{
    Test,
    fake::{Fake, ID, MJPG, Switch},
    stage::Stage,
};

pub const ALL: &[Test] = &[
    (
        "the_demo_scene_allocates_little",
        the_demo_scene_allocates_little,
    ),
    (
        "a_raw_camera_allocates_nothing",
        a_raw_camera_allocates_nothing,
    ),
    (
        "an_mjpeg_camera_allocates_little",
        an_mjpeg_camera_allocates_little,
    ),
];

/// Counts what every thread of the process allocates.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn count(bytes: usize) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes, Ordering::Relaxed);
    LARGEST.fetch_max(bytes, Ordering::Relaxed);
}

/// Attempts at counting. A thread that waits for a channel for the first time allocates its place in the
/// queue, and on a busy computer that first time may come late.
const ATTEMPTS: usize = 5;

/// Allocations, bytes and the largest one, of all threads during `frames` frames after the first 30: the least
/// of several attempts.
fn allocated(stage: &mut Stage, frames: usize) -> (usize, usize, usize) {
    for _ in 0..30 {
        stage.frame();
    }
    let counted = (0..ATTEMPTS).map(|_| allocated_once(stage, frames));
    let least = counted.min().expect("several attempts");
    println!("at least {least:?} in {frames} frames");
    least
}

fn allocated_once(stage: &mut Stage, frames: usize) -> (usize, usize, usize) {
    COUNT.store(0, Ordering::Relaxed);
    BYTES.store(0, Ordering::Relaxed);
    LARGEST.store(0, Ordering::Relaxed);
    for _ in 0..frames {
        stage.frame();
    }
    (
        COUNT.load(Ordering::Relaxed),
        BYTES.load(Ordering::Relaxed),
        LARGEST.load(Ordering::Relaxed),
    )
}

fn the_demo_scene_allocates_little() {
    let mut stage = Stage::of(Source::Demo, CaptureSettings::default());
    let (count, bytes, largest) = allocated(&mut stage, 60);
    // Tables of gradients and rows of tiles of the rasteriser; never a picture.
    assert!(count <= 60 * 1500, "{count}");
    assert!(bytes <= 60 * 1_000_000, "{bytes}");
    assert!(largest < 100_000, "{largest}");
}

fn a_raw_camera_allocates_nothing() {
    let settings = CaptureSettings {
        frame_px: 500,
        rotate: styleforge::capture::Rotation::Quarter,
        mirror: true,
        ..CaptureSettings::default()
    };
    let mut stage = Stage::with(ID, settings);
    assert_eq!(allocated(&mut stage, 60), (0, 0, 0));
}

fn an_mjpeg_camera_allocates_little() {
    let fake = Fake::here();
    fake.write_jpegs();
    fake.set(Switch::Kinds, MJPG);
    let mut stage = Stage::new();
    let (count, bytes, largest) = allocated(&mut stage, 60);
    // Tables, rows of blocks and errors of the decoder; never a picture.
    assert!(count <= 60 * 60, "{count}");
    assert!(bytes <= 60 * 300_000, "{bytes}");
    assert!(largest < 640 * 480, "{largest}");
}
