//! The parts of a network for style pictures are timed by themselves, whatever the driver refuses.

use styleforge::{
    backend::{Backend, SessionSpec},
    mode::{Mode, Precision, Variant},
    models::vit::{Spec, Transformer},
};

use super::fake::{FakeGpu, LAUNCH_FAILED, LaunchFilter, NOT_SUPPORTED};

/// The names of the parts that are timed, or the error.
fn timed(gpu: &FakeGpu, variant: Variant) -> Result<Vec<&'static str>, String> {
    let transformer = Transformer::made_up(Spec::plain(32, 128, 2, 2, 512)).expect("a network");
    let code = transformer.made_up_code().expect("a code");
    let network = transformer.network(&code).expect("a network");
    let backend = gpu.backend().expect("a GPU");
    let spec = SessionSpec::single(64, 96, Mode::new(variant, Precision::Fp16));
    let device = backend.inspect().expect("a look into it");
    let timed = device.time_operations(&network, &spec, 1);
    let timed = timed.map_err(|error| error.to_string())?;
    for part in &timed {
        assert_eq!((part.in_channels, part.height, part.width), (128, 3, 2));
        assert_eq!(part.launches_of_network, part.launches.len());
        assert!(part.flops > 0 && part.bytes > 0, "{part:?}");
    }
    Ok(timed.into_iter().map(|part| part.operation).collect())
}

const ALL: [&str; 3] = ["attention", "attention-layer", "feed-forward"];

#[test]
fn attention_and_feed_forward_parts_are_timed_by_themselves() {
    for variant in [Variant::Baseline, Variant::Fused] {
        let gpu = FakeGpu::of((9, 0));
        assert_eq!(timed(&gpu, variant), Ok(ALL.to_vec()));
        assert_eq!(gpu.left_behind(), Vec::<String>::new(), "{variant}");
    }
    // Launches that may begin early are not had from every driver.
    let gpu = FakeGpu::of((9, 0));
    let is_early: LaunchFilter = |shape| shape.early;
    gpu.refuse_launches(is_early, NOT_SUPPORTED);
    assert_eq!(timed(&gpu, Variant::Fused), Ok(ALL.to_vec()));
    let gpu = FakeGpu::of((9, 0));
    gpu.refuse_launches(|_| true, LAUNCH_FAILED);
    assert!(timed(&gpu, Variant::Fused).is_err());
    assert_eq!(gpu.left_behind(), Vec::<String>::new());
}
