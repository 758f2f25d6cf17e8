//! Frames in the formats of cameras.

use std::sync::atomic::Ordering;

use backend::Steadiness;
use engine::{
    capture::{Captured, Layout, PixelFormat, Rotation},
    live::{LivePicture, ModePair, Served},
};
use values::{compose::Look, frame::Frame, mode::DeviceChoice, raw_frame::RawFrame};

use crate::studio::{Studio, candidate, fixed};

/// A camera's frame of 64 x 48 pixels in YUYV, in which no two rows are equal.
fn raw(rotate: Rotation, mirror: bool) -> RawFrame {
    let layout = Layout::tight(PixelFormat::Yuyv, 64, 48);
    let bytes: Vec<u8> = (0..layout.bytes()).map(|i| (i * 7 / 5) as u8).collect();
    let mut frame = RawFrame::default();
    frame.set(&layout, &bytes, (rotate, mirror)).expect("a whole frame");
    frame
}

fn decoded(raw: &RawFrame) -> Frame {
    let mut frame = Frame::from_fn(1, 1, |_, _| [0; 4]);
    raw.decode_into(&mut frame, &mut Frame::from_fn(1, 1, |_, _| [0; 4]));
    frame
}

impl Studio {
    /// Sends this frame from the source and paints it.
    fn paints_captured(&mut self, captured: Captured) -> &LivePicture {
        self.frames.value = captured;
        self.frames.put();
        self.paints_again()
    }

    fn paints_again(&mut self) -> &LivePicture {
        assert_eq!(self.serve(), Served::Picture);
        assert!(self.pictures.take());
        &self.pictures.value
    }

    fn raw_frames(&self) -> usize {
        self.world.raw.load(Ordering::SeqCst)
    }
}

#[test]
fn a_gpu_gets_them_as_they_are_and_all_see_the_same_pictures() {
    for (rotate, mirror) in [
        (Rotation::None, false),
        (Rotation::None, true),
        (Rotation::Quarter, false),
        (Rotation::ThreeQuarters, true),
    ] {
        let raw = raw(rotate, mirror);
        let upright = decoded(&raw);
        for look in [Look::default(), Look::new(40, true)] {
            let [gpu, processor] = [DeviceChoice::Cuda, DeviceChoice::Cpu].map(|kind| {
                let mut studio = Studio::new((64, 48), kind, fixed(64));
                studio.settings(|settings| settings.stylization.look = look);
                studio.paints_captured(Captured::of_raw(raw.clone()));
                assert_eq!(studio.raw_frames(), usize::from(kind == DeviceChoice::Cuda));
                let picture = studio.paints_captured(Captured::of_raw(raw.clone()));
                assert_eq!(picture.original, upright);
                let painted = picture.painted.clone();
                // Painted again without a new frame, which is decoded by now.
                studio.settings(|settings| settings.stylization.look.strength_percent = 0);
                assert_eq!(studio.paints_again().painted, upright);
                painted
            });
            assert_eq!(gpu, processor);
        }
    }
}

#[test]
fn at_a_smaller_size_all_see_the_same_pictures_too() {
    let raw = raw(Rotation::Quarter, true);
    for upscale in [true, false] {
        for strength_percent in [100, 30] {
            let pictures = [Captured::of_raw(raw.clone()), Captured::of(decoded(&raw))];
            let [raw, decoded] = pictures.map(|frame| {
                let is_raw = frame.raw().is_some();
                let mut studio = Studio::new((64, 48), DeviceChoice::Cuda, fixed(32));
                studio.settings(|settings| {
                    settings.upscale = upscale;
                    settings.stylization.look.strength_percent = strength_percent;
                    settings.sample = true;
                });
                let picture = studio.paints_captured(frame);
                let seen = (picture.original.clone(), picture.painted.clone());
                assert_eq!(studio.facts().working, (24, 32));
                assert_eq!(studio.raw_frames(), usize::from(is_raw));
                assert_eq!(studio.samples().len(), 1, "of the frame at the working size");
                seen
            });
            assert_eq!(raw, decoded);
        }
    }
}

#[test]
fn frames_are_decoded_first_if_modes_are_compared_or_no_style_is_chosen() {
    let raw = raw(Rotation::None, false);
    let pair = ModePair { candidates: [candidate("baseline fp32"), candidate("fused fp32")] };
    let pictures = [Captured::of_raw(raw.clone()), Captured::of(decoded(&raw))].map(|frame| {
        let mut studio = Studio::new((64, 48), DeviceChoice::Cuda, fixed(64));
        studio.settings(|settings| settings.compare = Some(pair));
        let picture = studio.paints_captured(frame);
        let seen = (picture.original.clone(), picture.painted.clone());
        assert_eq!(studio.raw_frames(), 0);
        seen
    });
    assert_eq!(pictures[0], pictures[1]);
    let mut studio = Studio::new((64, 48), DeviceChoice::Cuda, fixed(64));
    studio.settings(|settings| settings.stylization.network = None);
    let picture = studio.paints_captured(Captured::of_raw(raw.clone()));
    assert_eq!(picture.painted, decoded(&raw));
}

#[test]
fn a_device_that_does_not_decode_is_asked_once() {
    let raw = raw(Rotation::Half, false);
    let mut studio = Studio::new((64, 48), DeviceChoice::Cuda, fixed(64));
    studio.world.decodes.store(false, Ordering::SeqCst);
    for _ in 0..3 {
        let picture = studio.paints_captured(Captured::of_raw(raw.clone()));
        assert_eq!(picture.original, decoded(&raw));
        assert_ne!(picture.painted, picture.original);
        assert_eq!(studio.raw_frames(), 1);
    }
}

#[test]
fn a_device_that_steadies_them_gets_them_as_they_are() {
    let raw = raw(Rotation::None, true);
    for (width, composed) in [(64, 0), (32, 4)] {
        let mut studio = Studio::new((64, 48), DeviceChoice::Cuda, fixed(width));
        studio.world.steadies.store(true, Ordering::SeqCst);
        studio.settings(|settings| settings.stylization.steadiness = 50);
        let mut paints = |steadiness: u8| {
            studio.settings(|settings| settings.stylization.steadiness = steadiness);
            studio.paints_captured(Captured::of_raw(raw.clone()));
            studio.world.steadied.lock().unwrap().pop()
        };
        let (first, next) = (
            Some(Steadiness { percent: 50, is_new: true }),
            Some(Steadiness { percent: 50, is_new: false }),
        );
        assert_eq!([50, 50, 0, 50].map(&mut paints), [first, next, None, first]);
        assert_eq!(studio.raw_frames(), 4);
        // Painted again without a new frame, which is decoded by now.
        studio.settings(|settings| settings.stylization.steadiness = 60);
        studio.paints_again();
        let next = Some(Steadiness { percent: 60, is_new: false });
        assert_eq!(studio.world.steadied.lock().unwrap().pop(), next);
        assert_eq!(studio.world.composed.load(Ordering::SeqCst), composed + composed / 4);
    }
}

#[test]
fn a_device_that_does_not_steady_them_gets_them_decoded() {
    let raw = raw(Rotation::None, true);
    let mut studio = Studio::new((64, 48), DeviceChoice::Cuda, fixed(32));
    studio.settings(|settings| settings.stylization.steadiness = 50);
    for _ in 0..2 {
        studio.paints_captured(Captured::of_raw(raw.clone()));
    }
    assert_eq!(studio.raw_frames(), 0);
    assert_eq!(studio.world.composed.load(Ordering::SeqCst), 0, "what it composes is not steady");
    assert!(studio.world.steadied.lock().unwrap().is_empty());
}
