//! Sessions that are loaded while others paint.

use std::sync::atomic::Ordering;

use engine::live::{LiveSettings, ModePair, Preparing, Preview, PreviewPicture, Served};
use values::{
    mailbox::mailbox,
    mode::{DeviceChoice, Mode, Precision, Variant},
};

use crate::{
    studio::{Studio, candidate, fixed, holding, mode, wait_until},
    support::{Trouble, network},
};

/// Style, variant, precision, size and two modes at once: while any of them opens, the old session continues to paint.
#[test]
fn frames_continue_while_a_session_is_opened() {
    type Change = fn(&mut LiveSettings);
    let changes: [Change; 5] = [
        |settings| settings.stylization.network = Some(network().into()),
        |settings| settings.stylization.mode = mode("baseline auto"),
        |settings| settings.stylization.mode = mode("baseline tf32"),
        |settings| settings.stylization.size = fixed(48),
        |settings| {
            settings.compare = Some(ModePair {
                candidates: [candidate("fused fp16"), candidate("fused-norm fp16")],
            });
        },
    ];
    let mut studio = Studio::with_loader((64, 64), fixed(32), |_| ());
    for (number, change) in (1..).zip(changes) {
        let before = studio.facts();
        studio.world.holds_opening.store(true, Ordering::SeqCst);
        studio.settings(change);
        studio.paints(30);
        let facts = studio.facts();
        assert_eq!(
            (facts.settings, facts.mode, facts.working, facts.pair),
            (number - 1, before.mode, before.working, before.pair)
        );
        studio.world.holds_opening.store(false, Ordering::SeqCst);
        studio.until("the new one", |facts| facts.settings == number);
        studio.paints(3);
        assert_eq!(studio.facts().settings, number);
    }
    assert_eq!(studio.facts().working, (48, 48));
    assert!(studio.facts().pair.is_some());
    assert_eq!(studio.refusals(), Vec::<String>::new());
    assert_eq!(studio.world.opened.load(Ordering::SeqCst), 1 + 4 + 2);
}

/// A settings change loads its session once, while the previous picture is still being painted.
#[test]
fn settings_are_taken_in_while_a_picture_is_painted() {
    let mut studio = Studio::with_loader((64, 64), fixed(32), |_| ());
    let world = studio.world.clone();
    let opened = || world.opened.load(Ordering::SeqCst);
    for (number, px) in [(1, 48), (2, 40)] {
        studio.settings.stylization.size = fixed(px);
        studio.number = number;
        let (settings, changes) = ((studio.settings.clone(), number), studio.changes.clone());
        *world.while_painting.lock().unwrap() =
            Some(Box::new(move || changes.lock().unwrap().send(settings)));
        studio.paints(1);
        let facts = studio.facts();
        assert_eq!(facts.settings, number - 1, "it was being painted already");
        wait_until("the opening", || opened() == 1 + number as usize);
        studio.until("the new size", |facts| facts.settings == number);
        assert_eq!(studio.facts().working, (px, px));
    }
    // A session that is already open is not opened again.
    studio.settings(|settings| settings.stylization.size = fixed(32));
    studio.until("the first size", |facts| facts.working == (32, 32));
    assert_eq!(opened(), 3);
    assert_eq!((studio.notices(), studio.refusals().len()), (0, 0));
}

/// The old session paints while another mode is opened, which the snapshot shows. Choosing something else cancels it.
#[test]
fn the_old_session_serves_while_another_mode_is_opened() {
    let mut studio = Studio::with_loader((64, 64), fixed(32), |_| ());
    let world = studio.world.clone();
    world.holds_baseline.store(true, Ordering::SeqCst);
    studio.settings(|settings| settings.stylization.mode = mode("baseline"));
    let spec = |studio: &mut Studio| studio.snapshot().preparing;
    let mode_of_baseline = Mode::new(Variant::Baseline, Precision::Fp32);
    let prepared = Preparing::Session { mode: mode_of_baseline, size: (32, 32) };
    wait_until("the opening", || {
        studio.paints(1);
        spec(&mut studio) == Some(prepared)
    });
    let facts = studio.facts();
    assert_eq!((facts.settings, facts.mode.map(|m| m.variant)), (0, Some(Variant::Fused)));
    // A comparison waits for it, too.
    studio.settings(|settings| {
        settings.compare =
            Some(ModePair { candidates: [candidate("baseline"), candidate("fused")] });
    });
    studio.paints(10);
    assert!(studio.facts().pair.is_none());
    // Choosing something else cancels the opening, and is loaded immediately.
    studio.settings(|settings| {
        settings.compare = None;
        settings.stylization.mode = mode("fused");
        settings.stylization.size = fixed(48);
    });
    studio.until("the new size", |facts| facts.working == (48, 48));
    studio.paints(1);
    assert_eq!(spec(&mut studio), None);
    assert_eq!(world.held_bytes(), 32 + 48);
    studio.settings(|settings| {
        settings.stylization.mode = mode("baseline");
        settings.stylization.size = fixed(32);
    });
    studio.paints(5);
    assert_eq!(studio.facts().working, (48, 48));
    world.holds_baseline.store(false, Ordering::SeqCst);
    studio
        .until("the baseline", |facts| facts.mode.is_some_and(|m| m.variant == Variant::Baseline));
    assert_eq!((studio.notices(), studio.refusals().len()), (0, 0));
}

#[test]
fn an_opening_that_fails_is_reported_and_the_old_session_stays() {
    for trouble in [Trouble::NoMemory, Trouble::Panic] {
        let mut studio = Studio::with_loader((64, 64), fixed(32), |_| ());
        // A second failure, because running out of memory is retried after closing sessions.
        (studio.world.opening_fails.lock().unwrap()).extend([trouble, trouble]);
        studio.settings(|settings| settings.stylization.mode = mode("baseline"));
        studio.until("the end of the opening", |facts| facts.settings == 1);
        studio.paints(30);
        let facts = studio.facts();
        assert_eq!(facts.mode.expect("painted").to_string(), "fused fp32");
        assert_eq!(studio.refusals().len(), 1);
    }
}

#[test]
fn looks_change_while_a_session_is_opened() {
    let mut studio = Studio::with_loader((32, 32), fixed(32), |_| ());
    studio.world.holds_opening.store(true, Ordering::SeqCst);
    studio.settings(|settings| {
        settings.stylization.network = Some(network().into());
        settings.stylization.look.strength_percent = 0;
    });
    studio.paints(1);
    assert_eq!(studio.pictures.value.painted.pixel(0, 0)[0], 100);
    studio.world.holds_opening.store(false, Ordering::SeqCst);
    studio.until("the new style", |facts| facts.settings == 1);
}

#[test]
fn the_newest_goal_is_opened_and_the_ones_before_are_cancelled() {
    for ignores_cancelling in [false, true] {
        let mut studio = Studio::with_loader((64, 64), fixed(32), |_| ());
        let world = studio.world.clone();
        world.ignores_cancelling.store(ignores_cancelling, Ordering::SeqCst);
        world.holds_opening.store(true, Ordering::SeqCst);
        for px in [40, 48, 56] {
            studio.settings(|settings| settings.stylization.size = fixed(px));
            studio.paints(5);
            wait_until("an opening", || world.begun_px.load(Ordering::SeqCst) > 32);
        }
        if !ignores_cancelling {
            wait_until("the newest", || world.begun_px.load(Ordering::SeqCst) == 56);
        }
        world.holds_opening.store(false, Ordering::SeqCst);
        studio.until("the newest size", |facts| facts.settings == 3);
        assert_eq!(studio.facts().working, (56, 56));
        // The first session may have been open when it was superseded; then it was closed again.
        wait_until("the others to be closed", || world.held_bytes() == 32 + 56);
        let opened = world.opened.load(Ordering::SeqCst);
        assert_eq!(opened, if ignores_cancelling { 3 } else { 2 });
        assert_eq!(studio.refusals(), Vec::<String>::new());
        // Returning to a session that is still open takes effect immediately and cancels the opening.
        world.holds_opening.store(true, Ordering::SeqCst);
        studio.settings(|settings| settings.stylization.size = fixed(60));
        studio.paints(1);
        studio.settings(|settings| settings.stylization.size = fixed(32));
        studio.paints(1);
        assert_eq!(studio.facts().working, (32, 32));
        world.holds_opening.store(false, Ordering::SeqCst);
        wait_until("the opener", || {
            studio.serve();
            world.held_bytes() == 32 + 56
        });
        studio.paints(1);
        assert_eq!((studio.facts().working, studio.facts().settings), ((32, 32), 5));
    }
}

#[test]
fn a_goal_that_cannot_be_opened_is_reported_once() {
    let mut studio = Studio::with_loader((64, 64), fixed(32), |_| ());
    studio.settings(|settings| settings.stylization.mode = mode("fused bf16"));
    studio.until("the refusal", |facts| facts.settings == 1);
    studio.paints(30);
    assert_eq!(studio.refusals().len(), 1, "{:?}", studio.refusals());
    assert!(studio.refusals()[0].contains("choose fp16"));
    (studio.world.opening_fails.lock().unwrap()).push(Trouble::Panic);
    studio.settings(|settings| settings.stylization.mode = mode("baseline fp16"));
    studio.until("the refusal", |facts| facts.settings == 2);
    studio.paints(30);
    assert_eq!(studio.refusals().len(), 2, "{:?}", studio.refusals());
    assert!(studio.refusals()[1].contains("a bug in StyleForge (scripted panic)"));
    let facts = studio.facts();
    assert_eq!(facts.mode.expect("painted").to_string(), "fused fp32");
    // New settings cause a new attempt.
    studio.settings(|settings| settings.stylization.look.strength_percent = 90);
    studio.until("the second attempt", |facts| {
        facts.mode.is_some_and(|m| m.variant == Variant::Baseline)
    });
}

#[test]
fn where_memory_holds_only_one_the_old_is_closed_first() {
    let mut studio = Studio::with_loader((200, 200), fixed(64), holding(100));
    studio.settings(|settings| settings.stylization.size = fixed(80));
    studio.until("the larger size", |facts| facts.working == (80, 80));
    assert_eq!((studio.notices(), studio.refusals().len()), (1, 0));
    assert_eq!(studio.world.held_bytes(), 80);
    // If closing sessions cannot help, the new size is refused, and the old session stays open.
    studio.settings(|settings| settings.stylization.size = fixed(120));
    studio.until("the refusal", |facts| facts.settings == 2);
    studio.paints(10);
    assert_eq!((studio.notices(), studio.refusals().len()), (1, 1));
    assert_eq!(studio.facts().working, (80, 80));
    assert_eq!(studio.world.opened.load(Ordering::SeqCst), 2);
    // Other programs take the memory meanwhile: the old size returns.
    let troubles = [Trouble::NoMemory, Trouble::NoMemory];
    studio.world.opening_fails.lock().unwrap().extend(troubles);
    studio.settings(|settings| settings.stylization.size = fixed(70));
    studio.until("the old size", |facts| facts.settings == 3);
    studio.paints(10);
    assert_eq!((studio.notices(), studio.refusals().len()), (2, 2));
    assert_eq!(studio.facts().working, (80, 80));
    assert_eq!(studio.world.held_bytes(), 80);
}

#[test]
fn idle_sessions_are_closed_before_memory_runs_out() {
    let mut studio = Studio::with_loader((200, 200), fixed(30), |world| {
        world.tells_memory.store(true, Ordering::SeqCst);
        world.memory_bytes.store(100, Ordering::SeqCst);
    });
    for (px, held) in [(40, 30 + 40), (50, 40 + 50), (45, 50 + 45)] {
        studio.settings(|settings| settings.stylization.size = fixed(px));
        studio.until("the size", |facts| facts.working == (px, px));
        assert_eq!(studio.world.held_bytes(), held);
    }
    assert_eq!((studio.notices(), studio.refusals().len()), (0, 0));
    // The limit includes the session that paints.
    studio.settings(|settings| settings.stylization.size = fixed(60));
    studio.until("the size", |facts| facts.working == (60, 60));
    assert_eq!((studio.notices(), studio.refusals().len()), (1, 0));
    assert_eq!(studio.world.held_bytes(), 60);
}

#[test]
fn a_device_that_is_lost_while_a_session_is_opened_is_replaced() {
    let mut studio = Studio::with_loader((32, 32), fixed(32), |_| ());
    (studio.world.opening_fails.lock().unwrap()).push(Trouble::Loss);
    studio.settings(|settings| settings.stylization.network = Some(network().into()));
    studio.until("the new style", |facts| facts.settings == 1);
    studio.paints(5);
    let news = studio.devices.first_mut().take_notices();
    assert_eq!(news.len(), 1, "{news:?}");
    assert!(news[0].starts_with("CPU: the GPU was lost"), "{news:?}");
    assert_eq!(studio.refusals(), Vec::<String>::new());
}

#[test]
fn a_device_that_is_lost_by_a_frame_while_a_session_is_opened_is_replaced() {
    let mut studio = Studio::with_loader((32, 32), fixed(32), |_| ());
    studio.world.holds_opening.store(true, Ordering::SeqCst);
    studio.settings(|settings| settings.stylization.network = Some(network().into()));
    studio.paints(3);
    studio.world.lost_after.store(1, Ordering::SeqCst);
    studio.frame(100);
    assert_eq!(studio.serve(), Served::Nothing, "nothing is open any more");
    studio.world.holds_opening.store(false, Ordering::SeqCst);
    studio.until("the new style", |facts| facts.settings == 1);
    let news = studio.devices.first_mut().take_notices();
    assert!(news[0].starts_with("CPU: the GPU was lost"), "{news:?}");
    assert_eq!(studio.world.held_bytes(), 32);
}

#[test]
fn the_wall_is_opened_while_the_large_picture_is_painted() {
    let mut studio = Studio::with_loader((640, 480), fixed(320), |_| ());
    studio.world.holds_opening.store(true, Ordering::SeqCst);
    let (output, mut reader) = mailbox(PreviewPicture::empty);
    let network = network();
    let previews = vec![Preview { network, output }];
    studio.live.set_previews(previews, studio.devices.first_mut());
    studio.paints(20);
    assert!(!reader.take());
    // The session of the large picture is loaded first.
    studio.settings(|settings| settings.stylization.size = fixed(400));
    studio.paints(20);
    studio.world.holds_opening.store(false, Ordering::SeqCst);
    studio.until("the new size", |facts| facts.settings == 1);
    wait_until("the small picture", || {
        studio.world.pass_ms(100);
        studio.frame(100);
        studio.serve();
        studio.pictures.take();
        reader.take()
    });
    studio.live.set_previews(Vec::new(), studio.devices.first_mut());
    wait_until("the wall to be closed", || studio.world.held_bytes() == 320 + 400);
}

#[test]
fn the_wall_has_the_strength_and_colours_of_the_large_picture() {
    let mut studio = Studio::new((640, 480), DeviceChoice::Cuda, fixed(320));
    let (output, mut reader) = mailbox(PreviewPicture::empty);
    let network = network();
    let previews = vec![Preview { network, output }];
    studio.live.set_previews(previews, studio.devices.first_mut());
    // The scripted device inverts.
    for (strength_percent, level) in [(100, 155), (0, 100)] {
        studio.settings(|settings| settings.stylization.look.strength_percent = strength_percent);
        wait_until("the small picture", || {
            studio.world.pass_ms(100);
            studio.frame(100);
            studio.serve();
            studio.pictures.take();
            reader.take() && reader.value.painted.pixel(0, 0) == [level, level, level, 255]
        });
    }
}

#[test]
fn a_preview_that_panics_is_left_out_and_the_large_picture_continues() {
    let mut studio = Studio::new((640, 480), DeviceChoice::Cuda, fixed(320));
    studio.world.breaks_px.store(192, Ordering::SeqCst);
    let (output, mut reader) = mailbox(PreviewPicture::empty);
    let network = network();
    let previews = vec![Preview { network, output }];
    studio.live.set_previews(previews, studio.devices.first_mut());
    for _ in 0..40 {
        studio.world.pass_ms(100);
        studio.frame(100);
        assert_eq!(studio.serve(), Served::Picture);
        studio.pictures.take();
    }
    assert_eq!(studio.world.broke.load(Ordering::SeqCst), 1);
    assert!(!reader.take());
    assert_eq!(studio.world.held_bytes(), 320, "its session is closed");
}
