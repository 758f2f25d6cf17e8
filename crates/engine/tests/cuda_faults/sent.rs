//! Frames that were sent to one session and are painted by others: which are sent again, and which are no longer valid.

use super::*;

/// Another style of the same shape.
fn other_network() -> Arc<Network> {
    let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([8, 16, 24]) };
    Arc::new(spec.random(6).expect("a valid shape"))
}

#[test]
fn a_photo_is_sent_once_for_several_styles() {
    let gpu = FakeGpu::new();
    let open = gpu.opener();
    let selected = open(DeviceChoice::Auto).expect("a GPU");
    let mut painter = Painter::new(selected.backend, open);
    let (photo, control) = (Arc::new(photo()), RunControl::default());
    let settings = PaintSettings::default();
    let mut paint = |photo: &Arc<Frame>, network: &Arc<Network>| {
        painter.paint(photo, network, settings, &control)
    };
    let networks = [network(), other_network()];
    paint(&photo, &networks[0]).expect("a painting");
    paint(&photo, &networks[1]).expect("weights travel, and the photo does not");
    gpu.fail("cuMemcpyHtoDAsync", 0, LAUNCH_FAILED);
    for network in &networks {
        paint(&photo, network).expect("a painting");
    }
    assert!(gpu.is_armed(), "nothing was sent again");
    // An equal photo is another one: photos are compared by identity, not by pixels.
    paint(&Arc::new(Frame::clone(&photo)), &networks[0]).expect("a painting, by another context");
    assert!(!gpu.is_armed(), "it was sent");
}

#[test]
fn frames_are_there_until_others_are_painted_or_the_session_is_closed() {
    let gpu = FakeGpu::new();
    let backend = gpu.backend().expect("a GPU");
    let (photo, control) = (photo(), RunControl::default());
    let spec = SessionSpec::single(photo.width(), photo.height(), FUSED);
    let open = |spec: &SessionSpec| backend.open(&network(), spec).expect("a session");
    let (mut first, mut second) = (open(&spec), open(&spec));
    let mut painted = [photo.clone()];
    assert!(first.sent().is_none(), "nothing was painted yet");
    let send = |session: &mut Box<dyn Session>| {
        let mut painted = photo.clone();
        (session.paint(&photo, &mut painted, &control)).expect("a painting");
        session.sent().expect("the photo is there")
    };
    let mut takes = |session: &mut Box<dyn Session>, sent: &SentFrames| {
        let input = Input::Sent(sent);
        let job = Job::new(input, &mut painted);
        unless_declined(session.run(job, &control, None)).expect("no failure").is_some()
    };
    let sent = send(&mut first);
    assert!(takes(&mut second, &sent));
    assert!(takes(&mut first, &sent), "it is its own");
    assert!(takes(&mut second, &first.sent().expect("still there")));

    let again = send(&mut first);
    assert!(!takes(&mut second, &sent), "another frame lies there");
    assert!(takes(&mut second, &again));
    let mut batch = open(&SessionSpec { batch: 2, ..spec });
    assert!(!takes(&mut batch, &again), "as many as a batch");
    let other_gpu = FakeGpu::new();
    let other = other_gpu.backend().expect("another GPU");
    let mut elsewhere = other.open(&network(), &spec).expect("a session");
    assert!(!takes(&mut elsewhere, &again), "on another device");
    drop(first);
    assert!(!takes(&mut second, &again), "its memory was given back");
    // Inspecting a session paints another frame in it.
    let sent = send(&mut second);
    let mut third = open(&spec);
    assert!(takes(&mut third, &sent));
    let looked = second.inspect().expect("a look into it");
    (looked.profile(&photo, &mut photo.clone(), &control)).expect("times");
    assert!(!takes(&mut third, &sent), "another frame lies there");
    let sent = send(&mut second);
    drop((second, third, batch, elsewhere));
    drop(sent);
    drop((backend, other));
    assert_eq!(gpu.leaks(), [""; 0]);
}
