//! Pictures that are upscaled to the source's size.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use engine::live::{ModePair, Served};
use media::{
    record::{Destination, Recorded, Recorder},
    upscale::Upscaler,
};
use pictures::{decode, encode::Format};
use values::{compose::Look, frame::Frame, mode::DeviceChoice};

use crate::{
    studio::{Studio, candidate, fixed},
    support::{
        COMPOSE_MS,
        real_time::{is_judged, within},
    },
};

/// A source with an edge, in which no two pixels are equal.
fn edged(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        let level = if x < width / 2 { 20 } else { 180 };
        [level + (x % 60) as u8, level + (y % 60) as u8, level, 255]
    })
}

/// A studio with such a source, painted at `px` on the long side.
fn studio((width, height): (usize, usize), px: usize) -> Studio {
    let mut studio = Studio::new((width, height), DeviceChoice::Cpu, fixed(px));
    studio.frames.value.frame = edged(width, height);
    studio
}

impl Studio {
    /// Paints the source's current frame, or the last one again; returns the picture's size.
    fn paint(&mut self) -> (usize, usize) {
        let captured = &mut self.frames.value;
        captured.frame = edged(captured.frame.width(), captured.frame.height());
        self.frames.put();
        assert_eq!(self.serve(), Served::Picture);
        assert!(self.pictures.take());
        let painted = &self.pictures.value.painted;
        (painted.width(), painted.height())
    }
}

#[test]
fn pictures_have_the_sources_size_and_say_at_which_they_were_painted() {
    for (source, px, working) in [
        ((64, 48), 32, (32, 24)),
        ((67, 3), 33, (33, 1)),
        ((1, 50), 20, (1, 20)),
        ((64, 48), 64, (64, 48)),
        ((40, 30), 64, (40, 30)),
    ] {
        let mut studio = studio(source, px);
        assert_eq!(studio.paint(), source);
        assert_eq!(studio.facts().working, working, "{source:?}");
        studio.settings(|settings| settings.upscale = false);
        assert_eq!(studio.paint(), working);
        assert_eq!(studio.facts().working, working);
        studio.settings(|settings| settings.upscale = true);
        assert_eq!(studio.paint(), source);
    }
}

#[test]
fn strength_and_colours_are_applied_to_the_source_itself() {
    let mut studio = studio((64, 48), 32);
    studio.settings(|settings| settings.stylization.look.strength_percent = 0);
    assert_eq!(studio.paint(), (64, 48));
    let picture = &studio.pictures.value;
    assert_eq!(picture.painted, picture.original);
    assert_eq!(picture.facts.expect("painted").working, (32, 24));
    // The device inverts. Without a style the source is shown unpainted at its own size.
    studio.settings(|settings| settings.stylization.look.strength_percent = 50);
    studio.paint();
    let [red, ..] = studio.pictures.value.painted.pixel(3, 3);
    assert!(red.abs_diff(128) <= 3, "half of both: {red}");
    studio.settings(|settings| settings.stylization.network = None);
    studio.paint();
    let picture = &studio.pictures.value;
    assert_eq!(picture.painted, picture.original);
}

/// At a strength of 0 % both pictures equal the source: only the network's own pictures show that they differ.
#[test]
fn a_comparison_judges_what_the_network_made() {
    for upscale in [true, false] {
        let mut studio = studio((64, 48), 32);
        studio.world.baseline_off.store(3, Ordering::SeqCst);
        let pair = ModePair { candidates: [candidate("baseline fp32"), candidate("fused fp32")] };
        studio.settings(|settings| {
            settings.compare = Some(pair);
            settings.stylization.look.strength_percent = 0;
            settings.upscale = upscale;
        });
        let size = studio.paint();
        assert_eq!(size, if upscale { (64, 48) } else { (32, 24) });
        let picture = &studio.pictures.value;
        assert_eq!(picture.other.as_ref(), Some(&picture.painted));
        let equality = picture.equality.as_ref().expect("judged");
        assert!(!equality.passed());
        assert!(equality.to_string().contains("max difference 3/255"), "{equality}");
        // At full strength the shown pictures differ, too.
        studio.settings(|settings| settings.stylization.look.strength_percent = 100);
        studio.paint();
        let picture = &studio.pictures.value;
        let other = picture.other.as_ref().expect("two");
        assert_eq!((other.width(), other.height()), size);
        assert_ne!(other, &picture.painted);
    }
}

/// On two cores; twice at each size: with a look that needs no blending and with one that does.
#[test]
fn composing_hardly_takes_time() {
    let source = edged(1280, 720);
    let looks = [Look::default(), Look::new(70, true)];
    for ((width, height), look) in [(256, 144), (384, 216), (640, 360)]
        .into_iter()
        .flat_map(|size| looks.map(|look| (size, look)))
    {
        let painting = edged(width, height);
        let mut upscaler = Upscaler::new(2);
        let mut to = source.clone();
        let rounds = if is_judged() { 31 } else { 1 };
        let mut times: Vec<Duration> = (0..rounds)
            .map(|_| {
                let started = Instant::now();
                assert!(upscaler.compose((&painting, &painting), &source, look, &mut to));
                started.elapsed()
            })
            .collect();
        times.sort_unstable();
        let what = format!("composing 1280 x 720 from {width} x {height}, {look:?},");
        let median = times[times.len() / 2];
        if is_judged() {
            println!("{what} took {median:?}");
        }
        within(&what, median, Duration::from_millis(6));
        assert_ne!(to, source);
    }
}

/// A picture composed by a GPU is passed on unchanged, and composed once. A comparison checks the network's own
/// pictures.
#[test]
fn a_device_that_composes_is_left_to() {
    let made = [DeviceChoice::Cpu, DeviceChoice::Cuda].map(|kind| {
        let mut studio = Studio::new((64, 48), kind, fixed(32));
        studio.frames.value.frame = edged(64, 48);
        studio.world.baseline_off.store(3, Ordering::SeqCst);
        let composed = |studio: &Studio| studio.world.composed.swap(0, Ordering::SeqCst);
        studio.settings(|settings| {
            settings.stylization.look.strength_percent = 70;
            settings.stylization.look.keep_colors = true;
        });
        studio.paint();
        let alone = studio.pictures.value.painted.clone();
        let ms = studio.facts().stages.compose_ms;
        let mut counts = vec![composed(&studio)];
        studio.settings(|settings| {
            settings.compare = Some(ModePair {
                candidates: [candidate("baseline fp32"), candidate("fused fp32")],
            });
        });
        studio.paint();
        let picture = &studio.pictures.value;
        let equality = picture.equality.as_ref().expect("judged").to_string();
        let pair = (picture.painted.clone(), picture.other.clone());
        counts.push(composed(&studio));
        // Without upscaling there is nothing to compose on the device.
        studio.settings(|settings| settings.upscale = false);
        studio.paint();
        counts.push(composed(&studio));
        (alone, pair, equality, ms, counts)
    });
    let [cpu, gpu] = made;
    assert!((&cpu.0, &cpu.1, &cpu.2) == (&gpu.0, &gpu.1, &gpu.2));
    assert!(cpu.2.contains("max difference 3/255"), "{}", cpu.2);
    assert_eq!((cpu.3, gpu.3), (0.0, COMPOSE_MS as f32));
    assert_eq!((cpu.4, gpu.4), (vec![0; 3], vec![1, 2, 0]));
}

/// Records the pictures painted from now on into `folder`.
fn record(studio: &mut Studio, folder: &Path) -> Recorder {
    let (folder, format) = (folder.to_owned(), Format::Png);
    let destination = Destination::Pictures { folder, format };
    let (recorder, sink) = Recorder::start(&destination, Arc::new(|| {})).expect("a folder");
    studio.live.sinks().add(Box::new(sink));
    recorder
}

/// A held picture that is painted again at higher quality is shown from then on, and also recorded; later pictures
/// follow it.
#[test]
fn a_recording_shows_the_held_picture() {
    let home = tempfile::tempdir().expect("a folder");
    let mut studio = studio((64, 48), 32);
    let recorder = record(&mut studio, home.path());
    let finer = edged(64, 48);
    studio.paint();
    // Painting continues, so the finer picture is not shown.
    studio.live.record_finer(&finer, studio.world.now());
    studio.settings(|settings| settings.frozen = true);
    assert_eq!(studio.serve(), Served::Picture);
    let seen = studio.world.now() + Duration::from_secs(60);
    studio.live.record_finer(&finer, seen);
    studio.settings(|settings| settings.frozen = false);
    studio.paint();
    let Recorded { frames, length, .. } = recorder.finish();
    assert_eq!(frames, 4);
    let picture = |number: u32| {
        let path = home.path().join(format!("frame-{number:06}.png"));
        let picture = decode::from_path(&path).expect("a picture");
        Frame::clone(&picture.frame)
    };
    let painted = studio.pictures.value.painted.clone();
    assert_ne!(painted, finer);
    assert_eq!([1, 2, 3, 4].map(picture), [&painted, &painted, &finer, &painted].map(Frame::clone));
    // Later pictures are not recorded earlier than the finer one.
    assert!(length > Duration::from_secs(30), "{length:?}");
}

#[test]
fn recordings_have_the_sources_size() {
    let home = tempfile::tempdir().expect("a folder");
    let mut studio = studio((64, 48), 32);
    let recorder = record(&mut studio, home.path());
    studio.paint();
    let Recorded { frames, .. } = recorder.finish();
    assert_eq!(frames, 1);
    let recorded = decode::from_path(&home.path().join("frame-000001.png")).expect("a picture");
    assert_eq!(*recorded.frame, studio.pictures.value.painted);
    assert_eq!((recorded.frame.width(), recorded.frame.height()), (64, 48));
}
