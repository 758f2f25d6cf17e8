//! A style picture that is dropped while live pictures run, on the real CPU.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backend::{Selected, cpu::CpuBackend};
use engine::{
    Engine,
    live::{LiveSettings, LiveSource},
    style_picture,
};
use pictures::{
    decode,
    encode::{self, Encoding, Existing, Format},
};
use values::{frame::Frame, mailbox::mailbox};
use weights::StyleNetwork;

use crate::{
    studio::{fixed, mode, still, wait_until},
    support::real_time::within,
};

/// Maximum time from the drop to the first picture in its style.
const MOST: Duration = Duration::from_secs(3);

/// As in the window: the file is read and encoded, and its network paints the next frame.
#[test]
fn a_dropped_picture_becomes_the_style_of_live_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("painting.png");
    let painting = Frame::from_fn(1200, 900, |x, y| {
        [(x / 3) as u8, (y * 7) as u8, ((x ^ y) & 255) as u8, 255]
    });
    let encoding = Encoding::of(Format::Png);
    encode::save(&file, &painting, None, encoding, Existing::Keep).expect("saved");

    let any = StyleNetwork::built_in().expect("weights");
    let processor = Arc::new(CpuBackend::new(None).expect("threads"));
    let open = Arc::new(move |_| Ok(Selected { backend: processor.clone(), notice: None }));
    let mut engine = Engine::start(open, Arc::new(|| {})).expect("a thread");
    let (mut frames, input) = mailbox(|| still(320, 240));
    let mut settings = LiveSettings::new(None, fixed(256), mode("fused"));
    let mut pictures =
        engine.start_live(LiveSource::Frames(input), settings.clone()).expect("no thread");
    let mut picture_of = |number: Option<u64>, what: &str| {
        wait_until(what, || {
            frames.value.captured_at = Instant::now();
            frames.put();
            (pictures.take())
                .then_some(pictures.value.facts)
                .flatten()
                .is_some_and(|facts| number.is_none_or(|number| facts.settings >= number))
        });
        pictures.value.facts.expect("painted")
    };
    assert_eq!(picture_of(None, "the frame as it is").mode, None);

    let dropped = Instant::now();
    let read = decode::from_path(&file).expect("a picture");
    let (seen, _) = style_picture::look_at(&any, &read.frame).expect("a code");
    let network = style_picture::network_of(&any.transformer, &[(&seen.code, 1.0)]);
    settings.stylization.network = Some(network.expect("a network").into());
    let number = engine.set_live(settings);
    let facts = picture_of(Some(number), "the first picture in its style");
    let took = dropped.elapsed();
    println!("from the drop to the first picture: {:.2} s", took.as_secs_f64());
    assert!(facts.mode.is_some() && facts.working == (256, 192));
    within("a dropped style picture", took, MOST);
}
