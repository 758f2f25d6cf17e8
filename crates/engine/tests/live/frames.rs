//! Frames, settings, sizes, comparisons, previews and samples.

use std::sync::atomic::Ordering;

use engine::live::{CandidateChoice, LiveSize, ModePair, Preview, PreviewPicture, Served};
use values::{
    mailbox::mailbox,
    mode::{DeviceChoice, Variant},
};

use crate::{
    studio::{Studio, candidate, fixed, mode},
    support::network,
};

#[test]
fn the_newest_frame_is_painted_and_the_others_are_counted() {
    let mut studio = Studio::new((64, 48), DeviceChoice::Cpu, fixed(32));
    assert_eq!(studio.serve(), Served::Nothing, "no frame yet");
    for level in [10, 20, 30] {
        studio.frame(level);
        studio.world.pass_ms(5);
    }
    assert_eq!(studio.serve(), Served::Picture);
    assert_eq!(studio.serve(), Served::Nothing, "painted once");
    assert!(studio.pictures.take());
    let picture = &studio.pictures.value;
    assert_eq!(picture.painted.pixel(3, 3), [225, 225, 225, 255]);
    assert_eq!(picture.original.pixel(3, 3), [30, 30, 30, 255]);
    let facts = picture.facts.expect("painted");
    assert_eq!((facts.captured, facts.dropped, facts.painted), (3, 2, 1));
    assert_eq!(facts.working, (32, 24));
    assert_eq!((picture.original.width(), picture.original.height()), (64, 48));
    assert!((facts.stages.wait_ms - 5.0).abs() < 0.01);
    let network_ms = 32.0 * 24.0 * 10.0 / 1e6;
    assert!((f64::from(facts.stages.network_ms) - network_ms).abs() < 1e-4);
}

#[test]
fn a_change_is_painted_on_the_current_frame() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cpu, fixed(32));
    studio.frame(50);
    studio.serve();
    studio.settings(|settings| settings.stylization.look.strength_percent = 0);
    assert_eq!(studio.serve(), Served::Picture, "without a new frame");
    assert!(studio.pictures.take());
    let picture = &studio.pictures.value;
    assert_eq!(picture.painted.pixel(0, 0), [50, 50, 50, 255]);
    assert_eq!(picture.facts.expect("painted").settings, 1);
    studio.settings(|settings| settings.stylization.network = None);
    studio.serve();
    assert!(studio.pictures.take());
    assert_eq!(studio.pictures.value.facts.expect("shown").mode, None);
}

#[test]
fn a_frozen_picture_stays_and_can_be_painted_otherwise() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cpu, fixed(32));
    studio.frame(50);
    studio.serve();
    studio.settings(|settings| settings.frozen = true);
    studio.serve();
    studio.frame(90);
    assert_eq!(studio.serve(), Served::Nothing);
    studio.settings(|settings| settings.stylization.network = Some(network().into()));
    assert_eq!(studio.serve(), Served::Picture);
    studio.pictures.take();
    assert_eq!(studio.pictures.value.original.pixel(0, 0)[0], 50);
    studio.settings(|settings| settings.frozen = false);
    studio.serve();
    studio.pictures.take();
    assert_eq!(studio.pictures.value.original.pixel(0, 0)[0], 90);
}

#[test]
fn a_refused_goal_is_reported_once_and_the_serving_target_stays() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cpu, fixed(32));
    studio.run(1);
    let fp32 = studio.pictures.value.facts.expect("painted").mode;
    studio.settings(|settings| settings.stylization.mode = mode("fused bf16"));
    studio.run(1);
    assert_eq!(studio.refusals().len(), 1, "{:?}", studio.refusals());
    assert!(studio.refusals()[0].contains("choose fp16"));
    let facts = studio.pictures.value.facts.expect("painted");
    assert_eq!((facts.mode, facts.settings), (fp32, 1));
    // Too large for the memory: the previous size stays.
    studio.world.widest.store(32, Ordering::SeqCst);
    let mut studio = Studio::new((128, 64), DeviceChoice::Cuda, fixed(32));
    studio.run(1);
    studio.world.widest.store(40, Ordering::SeqCst);
    studio.settings(|settings| settings.stylization.size = fixed(64));
    studio.run(1);
    assert_eq!(studio.refusals().len(), 1);
    assert_eq!(studio.pictures.value.facts.expect("painted").working, (32, 16));
    studio.settings(|settings| settings.stylization.size = fixed(40));
    studio.run(1);
    assert_eq!(studio.pictures.value.facts.expect("painted").working, (40, 20));
}

#[test]
fn styles_modes_and_sizes_are_opened_once() {
    let mut studio = Studio::new((64, 64), DeviceChoice::Cpu, fixed(32));
    let styles = [network(), network(), network()];
    for round in 0..4 {
        for style in &styles {
            studio.settings(|settings| settings.stylization.network = Some(style.clone().into()));
            studio.frame(round);
            assert_eq!(studio.serve(), Served::Picture);
        }
    }
    assert_eq!(studio.world.opened.load(Ordering::SeqCst), 3);
}

#[test]
fn the_automatic_size_follows_the_device() {
    let auto = LiveSize::Auto { target_fps: 30.0 };
    // As wide as 4K, but flat, so that copying takes little time.
    let mut studio = Studio::new((3840, 16), DeviceChoice::Cpu, auto);
    studio.world.ns_a_pixel.store(300, Ordering::SeqCst);
    studio.run(40);
    assert_eq!(studio.facts().working, (3840, 16), "18 ms");
    let mut studio = Studio::new((1280, 720), DeviceChoice::Cpu, auto);
    studio.run(20);
    let size = |studio: &Studio| studio.pictures.value.facts.expect("painted").working.0;
    assert_eq!(size(&studio), 1280, "9 ms at most");
    studio.world.ns_a_pixel.store(150, Ordering::SeqCst);
    studio.run(10);
    let smaller = size(&studio);
    let ms = (smaller * smaller * 9 / 16) as f64 * 150.0 / 1e6;
    assert!(ms < 1e3 / 30.0 && smaller >= 448, "{smaller} px, {ms} ms");
    studio.world.ns_a_pixel.store(50_000, Ordering::SeqCst);
    studio.run(60);
    assert_eq!(size(&studio), 256, "then the rate gives way");
    assert_eq!(studio.refusals(), Vec::<String>::new());
}

/// By default a comparison uses modes that do equal work.
#[test]
fn moving_pictures_have_a_precision_of_their_own_and_comparisons_the_usual_one() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cpu, fixed(32));
    studio.world.hurries.store(true, Ordering::SeqCst);
    studio.run(1);
    let modes = |studio: &Studio| -> Vec<String> {
        let runs = studio.world.runs.lock().unwrap().split_off(0);
        let mut modes: Vec<String> = runs.iter().map(|(mode, _)| mode.to_string()).collect();
        modes.sort_unstable();
        modes.dedup();
        modes
    };
    assert_eq!(modes(&studio), ["fused int8"]);
    studio.settings(|settings| {
        settings.compare =
            Some(ModePair { candidates: [candidate("baseline"), candidate("fused")] });
    });
    studio.run(1);
    assert_eq!(modes(&studio), ["baseline fp32", "fused fp32"]);
    studio.settings(|settings| {
        settings.compare = None;
        settings.stylization.mode = mode("fused fp16");
    });
    studio.run(1);
    assert_eq!(modes(&studio), ["fused fp16"]);
}

#[test]
fn two_modes_take_turns_and_are_judged() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cpu, fixed(32));
    let pair = ModePair { candidates: [candidate("baseline fp32"), candidate("fused fp32")] };
    studio.settings(|settings| settings.compare = Some(pair));
    studio.run(1);
    let variants: Vec<Variant> =
        (studio.world.runs.lock().unwrap().iter()).map(|(m, _)| m.variant).collect();
    use Variant::{Baseline, Fused};
    let turns = variants.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
    let (mut first, mut second) = (0i32, 0i32);
    for turn in turns {
        match turn {
            [Baseline, Fused] => first += 1,
            [Fused, Baseline] => second += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!((first - second).abs() <= 1 && first > 10, "{first}, {second}");
    let picture = &studio.pictures.value;
    let times = picture.facts.expect("painted").pair.expect("two");
    assert_eq!(times.modes.map(|m| m.variant), [Baseline, Fused]);
    assert!(picture.equality.as_ref().expect("judged").passed());
    assert_eq!(picture.other.as_ref(), Some(&picture.painted));

    studio.world.baseline_off.store(3, Ordering::SeqCst);
    studio.run(1);
    let equality = studio.pictures.value.equality.clone().expect("judged");
    assert!(!equality.passed() && equality.ratio(2.0, 1.0).is_none());
    // Matching again for a while does not clear an earlier failure.
    studio.world.baseline_off.store(0, Ordering::SeqCst);
    studio.run(1);
    assert!(!studio.pictures.value.equality.as_ref().expect("judged").passed());
    studio.settings(|settings| settings.compare = None);
    studio.run(1);
    assert!(studio.pictures.value.other.is_none());
}

#[test]
fn a_comparison_may_take_another_device() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cuda, fixed(32));
    let candidate = |device| CandidateChoice { device, mode: mode("fused fp32") };
    let pair =
        ModePair { candidates: [candidate(DeviceChoice::Cpu), candidate(DeviceChoice::Auto)] };
    studio.settings(|settings| settings.compare = Some(pair));
    studio.run(1);
    assert!(studio.pictures.value.other.is_some());
    assert_eq!(studio.refusals(), Vec::<String>::new());
    assert_eq!(studio.world.opened.load(Ordering::SeqCst), 2, "one on each");
}

#[test]
fn a_lost_device_is_replaced_in_the_middle() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cuda, fixed(32));
    studio.run(1);
    let before = studio.pictures.value.facts.expect("painted").painted;
    studio.world.lost_after.store(5, Ordering::SeqCst);
    studio.run(1);
    assert!(studio.pictures.value.facts.expect("painted").painted >= before + 29);
    let news = studio.devices.first_mut().take_notices();
    assert_eq!(news.len(), 1, "{news:?}");
    assert!(news[0].starts_with("CPU: the GPU was lost"), "{news:?}");
    assert_eq!(studio.refusals(), Vec::<String>::new());
}

#[test]
fn the_wall_paints_every_style_and_takes_little() {
    // On a CPU the large picture takes 48 ms, so frames are late anyway.
    let mut studio = Studio::new((640, 480), DeviceChoice::Cpu, fixed(400));
    studio.world.ns_a_pixel.store(300, Ordering::SeqCst);
    studio.run(10);
    let alone = studio.pictures.value.facts.expect("painted").painted;
    let mut readers = Vec::new();
    let panes = (0..6)
        .map(|_| {
            let (output, reader) = mailbox(PreviewPicture::empty);
            readers.push(reader);
            Preview { network: network(), output }
        })
        .collect();
    studio.live.set_previews(panes, studio.devices.first_mut());
    studio.run(10);
    let both = studio.pictures.value.facts.expect("painted").painted - alone;
    assert!(both * 10 >= alone * 9, "{both} beside the wall, {alone} without");
    // A picture is shown before the previews are painted.
    let mut later = 0;
    for _ in 0..100 {
        studio.frame(100);
        assert_eq!(studio.serve(), Served::Picture);
        assert!(studio.pictures.take());
        let ready_at = studio.pictures.value.facts.expect("painted").ready_at;
        let ready_ns = (ready_at - studio.world.start).as_nanos() as u64;
        assert_eq!(studio.world.woken_at_ns.load(Ordering::SeqCst), ready_ns);
        later += usize::from(studio.world.now() > ready_at);
    }
    assert!(later > 0, "no preview was painted");
    for reader in &mut readers {
        assert!(reader.take());
        let counts = reader.counts();
        assert!(counts.written >= 5, "one every two seconds: {counts:?}");
        assert_eq!(reader.value.painted.width(), 192);
        assert_eq!(reader.value.painted.pixel(0, 0)[0], 155);
    }
}

#[test]
fn samples_are_rare_enough() {
    let mut studio = Studio::new((640, 480), DeviceChoice::Cuda, fixed(640));
    studio.run(5);
    assert!(studio.samples().is_empty(), "not requested");
    studio.world.ns_a_pixel.store(100, Ordering::SeqCst);
    studio.settings(|settings| settings.sample = true);
    studio.run(20);
    let samples = studio.samples();
    let cost_ms: f64 = samples.iter().map(|s| s.cost_ms).sum();
    assert!(samples.len() >= 5 && cost_ms < 0.02 * 20_000.0, "{} in {cost_ms} ms", samples.len());
    let sample = &samples[0];
    assert_eq!((sample.width, sample.height, sample.steps.len()), (640, 480, 1));
    assert!(sample.total_ms > 0.0 && sample.session_bytes > 0);
}
