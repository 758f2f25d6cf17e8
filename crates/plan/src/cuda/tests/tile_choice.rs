//! Which tiles layers use.

use super::*;

#[test]
fn a_quarter_size_map_of_512_pixels_fills_the_device() {
    let fused =
        plan(&published(), (512, 512), Mode::new(Variant::Fused, Precision::Fp16), &DEVICES[4]);
    let residual = fused.steps.iter().find(|s| s.layer == "res1.conv1");
    assert_eq!(residual.expect("the layer").grid, (128, 1, 1));
}

#[test]
fn exact_layers_are_halved_where_multiprocessors_would_be_idle() {
    let tile = |size, precision| {
        let mode = Mode::new(Variant::Fused, precision);
        let plan = plan(&published(), size, mode, &DEVICES[4]);
        let layer = |s: &&CudaStep| s.layer == "res1.conv1" && matches!(s.op, CudaOp::Conv(_));
        match plan.steps.iter().find(layer).map(|s| &s.op) {
            Some(CudaOp::Conv(launch)) => (launch.tile, launch.ctas.1),
            _ => panic!("no such layer"),
        }
    };
    let (half, whole) = ((Tile::MIDDLE, 2), (Tile::WIDE, 1));
    // 32 tiles (one round of 132, in halves too), 150 (two rounds, or three of halves), 128, 460.
    assert_eq!(tile((256, 256), Precision::Fp32), half);
    assert_eq!(tile((480, 640), Precision::Fp32), whole);
    assert_eq!(tile((512, 512), Precision::Fp32), whole);
    assert_eq!(tile((720, 1280), Precision::Fp32), whole);
    assert_eq!(tile((256, 256), Precision::Tf32).0, Tile::CHAIN);
}

#[test]
fn tiles_are_as_large_as_the_multiprocessors_share_is() {
    let tile = |size, variant, precision| {
        let plan = plan(&published(), size, Mode::new(variant, precision), &DEVICES[4]);
        let step = plan
            .steps
            .iter()
            .find(|s| match &s.op {
                CudaOp::Conv(_) => s.layer == "res1.conv1",
                _ => false,
            })
            .expect("the layer");
        match &step.op {
            CudaOp::Conv(launch) => (launch.tile, step.block, step.grid.0),
            _ => unreachable!("found as a convolution"),
        }
    };
    let fused = |size, precision| tile(size, Variant::Fused, precision);
    for precision in [Precision::Fp16, Precision::Bf16] {
        assert_eq!(fused((512, 512), precision), (Tile::CHAIN, 384, 128));
        // If that leaves multiprocessors idle, tiles of half the size. If some multiprocessors would have two tiles, a
        // tile of 192 pixels.
        assert_eq!(fused((256, 256), precision), (Tile::SMALL_CHAIN, 384, 64));
        assert_eq!(fused((480, 640), precision), (Tile::LARGE_CHAIN, 384, 100));
        // If some multiprocessors would have two tiles of 256 pixels (9 x 15), but pieces fit: 17 x 30 pieces, four per
        // CTA.
        assert_eq!(fused((540, 960), precision), (Tile::of_pieces(4), 384, 128));
        assert_eq!(fused((960, 540), precision), (Tile::of_pieces(4), 384, 128));
        // One piece more than four each.
        assert_eq!(fused((720, 720), precision), (Tile::of_pieces(5), 384, 106));
        // One tile of 192 pixels too many, but three pieces each.
        assert_eq!(fused((600, 600), precision), (Tile::of_pieces(3), 384, 121));
        assert_eq!(fused((640, 640), precision).0, Tile::DEEP);
        // 23 x 40 pieces, seven per multiprocessor.
        assert_eq!(fused((720, 1280), precision), (Tile::of_pieces(7), 384, 132));
        // 17 x 30 tiles, four for each of 128 multiprocessors.
        assert_eq!(fused((1080, 1920), precision), (Tile::DEEP, DEEP_THREADS, 128));
        // A convolution that adds a bias has tiles of 128 pixels.
        assert_eq!(tile((720, 1280), Variant::Baseline, precision).0, Tile::CHAIN);
    }
    assert_eq!(fused((256, 256), Precision::Int8).0, Tile::SMALL_CHAIN);
    assert_eq!(fused((540, 960), Precision::Int8).0, Tile::of_pieces(4));
    // Two input tiles in four bytes do not fit.
    for precision in [Precision::Tf32, Precision::Mixed] {
        assert_eq!(fused((720, 1280), precision).0, Tile::CHAIN);
    }
}

#[test]
fn wide_layers_have_hoppers_loop() {
    for (widths, size) in [
        ([64, 128, 256], (512, 512)),
        ([64, 128, 256], (720, 1280)),
        ([32, 64, 96], (512, 512)),
        ([64, 128, 352], (512, 512)),
    ] {
        let spec = NetworkSpec::with_widths(widths);
        let graph = spec.graph().expect("a graph");
        for precision in [Precision::Fp16, Precision::Int8] {
            let mode = Mode::new(Variant::Fused, precision);
            let plan = CudaPlan::new(&graph, size, 1, mode, &DEVICES[4]).expect("a plan");
            check(&plan, &DEVICES[4]);
            let residual = plan.steps.iter().filter(|s| s.layer.starts_with("res"));
            for step in residual {
                assert!(step.entry.starts_with("wgmma"), "{widths:?}: {}", step.entry);
            }
        }
    }
}
