//! Checks allocations per frame: none, except inside the JPEG decoder and the vector rasteriser.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use engine::capture::{CaptureSettings, Source};

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

/// Counts the allocations of all threads in the process.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is passed to the system's allocator unchanged; counting allocates nothing.
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

/// Maximum number of attempts. A thread that waits on a channel for the first time allocates its place in the queue, and
/// the rasteriser's lists grow once to the size of the scene. On a busy computer such a first time may come late.
const ATTEMPTS: usize = 5;
/// Number of frames of an attempt.
const FRAMES: usize = 60;

/// Allocations of a source per frame, by all threads.
#[derive(Clone, Copy, Debug)]
struct Allocated {
    count: f64,
    bytes: f64,
    /// The largest allocation of all frames, in bytes.
    largest: usize,
}

impl Allocated {
    fn is_within(&self, limit: &Self) -> bool {
        self.count <= limit.count && self.bytes <= limit.bytes && self.largest <= limit.largest
    }
}

/// Checks the allocations per frame after the first 30: the minimum over attempts, of which there are no more than are
/// needed.
fn allocates_at_most(stage: &mut Stage, limit: Allocated) {
    for _ in 0..30 {
        stage.frame();
    }
    let mut least = allocated_once(stage, FRAMES);
    for _ in 1..ATTEMPTS {
        if least.is_within(&limit) {
            break;
        }
        let again = allocated_once(stage, FRAMES);
        least = Allocated {
            count: least.count.min(again.count),
            bytes: least.bytes.min(again.bytes),
            largest: least.largest.min(again.largest),
        };
    }
    println!("at least {least:?}");
    assert!(least.is_within(&limit), "{least:?}, more than {limit:?}");
}

fn allocated_once(stage: &mut Stage, frames: usize) -> Allocated {
    COUNT.store(0, Ordering::Relaxed);
    BYTES.store(0, Ordering::Relaxed);
    LARGEST.store(0, Ordering::Relaxed);
    let sequences: Vec<u64> = (0..=frames).map(|_| stage.frame().sequence).collect();
    // Overtaken frames were made as well, and one more may be in progress.
    let made = (sequences[frames] - sequences[0] + 1) as f64;
    // The list of this function.
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

fn the_demo_scene_allocates_little() {
    let mut stage = Stage::of(Source::Demo, CaptureSettings::default());
    // The rasteriser's gradient tables and rows of tiles; never a picture of 640 x 480 pixels.
    let limit = Allocated { count: 1500.0, bytes: 1_000_000.0, largest: 640 * 480 * 4 - 1 };
    allocates_at_most(&mut stage, limit);
}

fn a_raw_camera_allocates_nothing() {
    let settings = CaptureSettings {
        frame_px: 500,
        rotate: engine::capture::Rotation::Quarter,
        mirror: true,
        ..CaptureSettings::default()
    };
    let mut stage = Stage::with(ID, settings);
    allocates_at_most(&mut stage, Allocated { count: 0.0, bytes: 0.0, largest: 0 });
}

fn an_mjpeg_camera_allocates_little() {
    let fake = Fake::here();
    fake.write_jpegs();
    fake.set(Switch::Kinds, MJPG);
    let mut stage = Stage::new();
    // The decoder's tables, rows of blocks and errors; never a picture.
    let limit = Allocated { count: 60.0, bytes: 300_000.0, largest: 640 * 480 - 1 };
    allocates_at_most(&mut stage, limit);
}
