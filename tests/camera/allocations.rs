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
    ("the_demo_scene_allocates_little", the_demo_scene_allocates_little),
    ("a_raw_camera_allocates_nothing", a_raw_camera_allocates_nothing),
    ("an_mjpeg_camera_allocates_little", an_mjpeg_camera_allocates_little),
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
/// queue, a rasteriser's lists grow once to what the scene takes, and on a busy computer such a first time may
/// come late.
const ATTEMPTS: usize = 5;

/// What a source allocated for a frame, by all threads.
#[derive(Clone, Copy, Debug)]
struct Allocated {
    count: f64,
    bytes: f64,
    /// Bytes of the largest allocation of all frames.
    largest: usize,
}

/// What is allocated for a frame after the first 30: the least of several attempts of `frames` frames each.
fn allocated(stage: &mut Stage, frames: usize) -> Allocated {
    for _ in 0..30 {
        stage.frame();
    }
    let least = (0..ATTEMPTS).map(|_| allocated_once(stage, frames)).reduce(|a, b| Allocated {
        count: a.count.min(b.count),
        bytes: a.bytes.min(b.bytes),
        largest: a.largest.min(b.largest),
    });
    let least = least.expect("several attempts");
    println!("at least {least:?}");
    least
}

fn allocated_once(stage: &mut Stage, frames: usize) -> Allocated {
    COUNT.store(0, Ordering::Relaxed);
    BYTES.store(0, Ordering::Relaxed);
    LARGEST.store(0, Ordering::Relaxed);
    let sequences: Vec<u64> = (0..=frames).map(|_| stage.frame().sequence).collect();
    // Frames that were overtaken were made as well; one more may be in the making.
    let made = (sequences[frames] - sequences[0] + 1) as f64;
    // The list of this function's own.
    let own_bytes = (frames + 1) * size_of::<u64>();
    Allocated {
        count: (COUNT.load(Ordering::Relaxed) - 1) as f64 / made,
        bytes: (BYTES.load(Ordering::Relaxed) - own_bytes) as f64 / made,
        largest: match LARGEST.load(Ordering::Relaxed) {
            largest if largest == own_bytes => 0,
            largest => largest,
        },
    }
}

/// Nothing at all is allocated.
fn allocates_nothing(stage: &mut Stage) {
    let allocated = allocated(stage, 60);
    assert!(allocated.count == 0.0 && allocated.bytes == 0.0, "{allocated:?}");
}

fn the_demo_scene_allocates_little() {
    let mut stage = Stage::of(Source::Demo, CaptureSettings::default());
    // Tables of gradients and rows of tiles of the rasteriser; never a picture of 640 x 480 pixels.
    let allocated = allocated(&mut stage, 60);
    assert!(allocated.count <= 1500.0, "{allocated:?}");
    assert!(allocated.bytes <= 1_000_000.0, "{allocated:?}");
    assert!(allocated.largest < 640 * 480 * 4, "{allocated:?}");
}

fn a_raw_camera_allocates_nothing() {
    let settings = CaptureSettings {
        frame_px: 500,
        rotate: styleforge::capture::Rotation::Quarter,
        mirror: true,
        ..CaptureSettings::default()
    };
    let mut stage = Stage::with(ID, settings);
    allocates_nothing(&mut stage);
}

fn an_mjpeg_camera_allocates_little() {
    let fake = Fake::here();
    fake.write_jpegs();
    fake.set(Switch::Kinds, MJPG);
    let mut stage = Stage::new();
    // Tables, rows of blocks and errors of the decoder; never a picture.
    let allocated = allocated(&mut stage, 60);
    assert!(allocated.count <= 60.0, "{allocated:?}");
    assert!(allocated.bytes <= 300_000.0, "{allocated:?}");
    assert!(allocated.largest < 640 * 480, "{allocated:?}");
}
