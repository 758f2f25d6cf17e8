//! The shipped trained styles: complete, credited, and painting the same as PyTorch did after training
//! (`tests/styles/`, before the weights were rounded to fp16).
#![allow(clippy::expect_used)]

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/shipped.rs"]
mod shipped;

use std::path::PathBuf;

use shipped::STYLES;

use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use network::models::johnson::NetworkSpec;
use pictures::decode;
use values::{
    frame::{Frame, PictureDifference},
    mode::{Mode, ModelSize, Precision, Variant},
};
use weights::{Checkpoint, StyleLibrary};

fn root(path: &str) -> PathBuf {
    crate::home::project().join(path)
}

fn picture(path: &str) -> Frame {
    let photo = decode::from_path(&root(path)).expect("a picture");
    Frame::clone(&photo.frame)
}

fn checkpoint(style: &str, size: ModelSize) -> Checkpoint {
    Checkpoint::read(&root(&format!("styles/{style}/{size}.safetensors"))).expect("a checkpoint")
}

fn paint(checkpoint: &Checkpoint, photo: &Frame, mode: Mode) -> Frame {
    let backend = CpuBackend::new(None).expect("threads");
    let spec = SessionSpec::single(photo.width(), photo.height(), mode);
    let mut session = backend.open(&checkpoint.network, &spec).expect("a session");
    let mut painted = photo.clone();
    session.paint(photo, &mut painted, &RunControl::default()).expect("a run");
    painted
}

#[test]
fn every_style_paints_what_pytorch_painted() {
    let photo = picture("tests/styles/input.webp");
    let mut paintings = Vec::new();
    for style in STYLES {
        for &size in ModelSize::ALL {
            let wanted = picture(&format!("tests/styles/{style}-{size}.webp"));
            let checkpoint = checkpoint(style, size);
            for variant in [Variant::Baseline, Variant::Fused] {
                let mode = Mode::new(variant, Precision::Fp32);
                let painted = paint(&checkpoint, &photo, mode);
                let d = PictureDifference::between(&painted, &wanted).expect("equal sizes");
                let what = format!("{style} {size} {mode}");
                assert!(d.psnr_db >= 50.0, "{what}: {:.1} dB", d.psnr_db);
                paintings.push((style, painted));
            }
        }
    }
    for (i, (a, first)) in paintings.iter().enumerate() {
        for (b, second) in paintings.iter().take(i).filter(|(b, _)| b != a) {
            let d = PictureDifference::between(first, second).expect("equal sizes");
            assert!(d.mean > 10.0, "{a} and {b} are {} levels apart", d.mean);
        }
    }
}

#[test]
fn every_style_has_both_sizes_its_shape_and_its_credit() {
    for style in STYLES {
        for (size, widths) in [(ModelSize::Full, [32, 64, 128]), (ModelSize::Lite, [16, 32, 64])] {
            let checkpoint = checkpoint(style, size);
            let shape = NetworkSpec::recognise(checkpoint.network.graph());
            let published = NetworkSpec::with_widths(widths);
            assert_eq!(shape, Some(published), "{style} {size}");
            for key in [
                "title",
                "artist",
                "year",
                "painting",
                "painting_status",
                "credit",
                "license",
                "network",
                "training",
                "date",
            ] {
                let value = checkpoint.metadata.get(key).map_or("", String::as_str);
                assert!(!value.is_empty(), "{style} {size} has no {key}");
            }
            assert_eq!(checkpoint.metadata.get("style").map(String::as_str), Some(style));
        }
    }
}

#[test]
fn a_lone_binary_has_the_six_in_lite_with_thumbnails() {
    let empty = tempfile::tempdir().expect("a folder");
    let library = StyleLibrary::open(&[], empty.path().join("styles"));
    for id in STYLES {
        let style = library.find(id).expect("an embedded style");
        assert_eq!(style.models(), [ModelSize::Lite], "{id}");
        let thumbnail = style.thumbnail().expect("a thumbnail");
        let picture = decode::from_bytes(id, &thumbnail).expect("a picture");
        assert!(picture.frame.width() >= 128, "{id}");
        let embedded = style.load(ModelSize::Lite).expect("weights");
        assert_eq!(embedded.network, checkpoint(id, ModelSize::Lite).network, "{id}");
    }
}
