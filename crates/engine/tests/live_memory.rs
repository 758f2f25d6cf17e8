//! Live frames allocate no memory, neither in the source nor while painting.

#![allow(clippy::expect_used, reason = "a broken test should panic")]

#[path = "../../../tests/support/home.rs"]
mod home;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use backend::{RunControl, cpu::CpuBackend, opener};
use engine::{
    capture::Captured,
    devices::Devices,
    live::{
        Input, Live, LivePicture, LiveSettings, LiveSize, LiveSource, LiveStart, Served, Snapshot,
    },
    paint::Painter,
};
use network::models::johnson::NetworkSpec;
use values::{compose::Look, frame::Frame, mailbox::mailbox};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: passes everything to the system's allocator and only counts in addition.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn the_engine_allocates_nothing_for_a_frame() {
    let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([8, 16, 16]) };
    let network = Arc::new(spec.random(5).expect("a valid shape"));
    let (mut frames, input) =
        mailbox(|| Captured::of(Frame::from_fn(160, 120, |x, y| [x as u8, y as u8, 90, 255])));
    let (output, mut pictures) = mailbox(LivePicture::empty);
    let backend = CpuBackend::new(Some(2)).expect("threads");
    let painter = Painter::new(Arc::new(backend), opener(Default::default()));
    let mut devices = Devices::new(painter);
    let mode = "fused".parse().expect("a mode");
    let mut settings = LiveSettings::new(Some(network), LiveSize::LongSide(100), mode);
    settings.stylization.look = Look::new(60, true);
    let (_settings, newest_settings) = mailbox(|| None);
    let start = LiveStart {
        input: Input::start(LiveSource::Frames(input), 0).expect("no thread"),
        output,
        wake_up: Arc::new(|| {}),
        settings,
        number: 0,
        changes: newest_settings,
        snapshot: mailbox(Snapshot::default).0,
        control: Arc::new(RunControl::default()),
    };
    let mut live = Live::new(start, devices.first(), Arc::new(Instant::now));
    let mut run = |frames_run: u32| {
        let before = allocations();
        for i in 0..frames_run {
            frames.value.captured_at = Instant::now();
            frames.value.frame.rgba_mut()[0] = i as u8;
            frames.put();
            let served = live.serve(&mut devices, &mut |event| panic!("{event:?}"));
            assert_eq!(served, Served::Picture);
            assert!(pictures.take());
        }
        allocations() - before
    };
    assert!(run(30) > 0, "sessions and frames are made at first");
    let made = run(630);
    // Submitting work to a pool of worker threads uses a queue that allocates a block for every 63 entries
    // (crossbeam-deque's injector). Each frame adds one entry for the network and one for upscaling its picture, and
    // nothing else.
    assert!(made <= 2 * (630 / 63 + 1), "{made} allocations in 630 frames");
}

#[test]
fn counting_counts() {
    let before = allocations();
    let kept = vec![Duration::ZERO; 10];
    assert_eq!(allocations(), before + 1);
    drop(kept);
}
