//! All tests that need an NVIDIA GPU. Without one every test is listed as ignored, with the reason; with
//! `STYLEFORGE_REQUIRE_GPU=1` that is a failure. The built test runs on a machine without Rust.
#![allow(clippy::expect_used)]

#[path = "gpu/composing.rs"]
mod composing;
#[path = "gpu/cudnn.rs"]
mod cudnn;
#[path = "gpu/dropped.rs"]
mod dropped;
#[path = "gpu/general.rs"]
mod general;
#[path = "support/general_graphs/mod.rs"]
mod general_graphs;
#[path = "../crates/backend/tests/cpu_any_graph/growing.rs"]
mod growing;
#[path = "support/home.rs"]
mod home;
#[path = "gpu/live.rs"]
mod live;
#[path = "gpu/lost_context.rs"]
mod lost_context;
#[path = "support/noise.rs"]
mod noise;
#[path = "gpu/pinned.rs"]
mod pinned;
#[path = "gpu/raw.rs"]
mod raw;
#[path = "support/real_time.rs"]
mod real_time;
#[path = "gpu/several.rs"]
mod several;
#[path = "support/shipped.rs"]
mod shipped;
#[path = "gpu/steady.rs"]
mod steady;
#[path = "gpu/styles.rs"]
mod styles;
#[path = "gpu/timing.rs"]
mod timing;
#[path = "gpu/tokens.rs"]
mod tokens;

use std::{process::ExitCode, sync::Arc};

use backend::{Backend, Input, Job, RunControl, SessionSpec, cuda};
use libtest_mimic::{Arguments, Failed, Trial};
use measure::verify::{self, Equality, Subject};
use network::{
    Network,
    models::{
        self,
        johnson::{Kernels, NetworkSpec},
    },
};
use plan::ConvProvider;
use values::{
    frame::Frame,
    mode::{Mode, ModelSize, Precision, Variant},
};

fn main() -> ExitCode {
    if lost_context::is_requested() {
        return lost_context::run();
    }
    let mut arguments = Arguments::from_args();
    // Tests run one after the other: they measure memory and times and record graphs, which other tests would disturb.
    arguments.test_threads = Some(1);
    let backend = cuda::open(None);
    let required = std::env::var_os("STYLEFORGE_REQUIRE_GPU").is_some();
    let reason = backend.as_ref().err().map(ToString::to_string);
    if let Some(reason) = &reason {
        eprintln!("ignored, because {reason}");
        if required {
            eprintln!("STYLEFORGE_REQUIRE_GPU is set: that is a failure");
            return ExitCode::FAILURE;
        }
    }
    let backend = backend.ok();
    type Test = fn(&dyn Backend) -> Result<(), Failed>;
    let tests: [(&str, Test); 33] = [
        ("every_mode_paints_the_oracles_picture", every_mode_paints_the_oracles_picture),
        ("every_kernel_computes_what_it_should", every_kernel_computes_what_it_should),
        ("tiles_that_take_turns_are_right_too", tiles_that_take_turns_are_right_too),
        ("tiles_of_all_sizes_are_right", tiles_of_all_sizes_are_right),
        ("older_gpus_kernels_are_right_too", older_gpus_kernels_are_right_too),
        ("thousand_frames_and_two_hundred_sessions_leave_memory_as_it_was", memory_stays),
        ("after_a_trap_the_processor_paints", lost_context::by_a_trap),
        ("after_a_hang_the_processor_paints", lost_context::by_a_hang),
        ("several_gpus_paint_the_same_bits", several::same_bits),
        ("several_gpus_do_the_work_of_a_lost_one", several::one_is_lost),
        ("graph_and_launches_agree", graph_and_launches_agree),
        ("batches_are_painted_as_single_frames", batches_are_painted_as_single_frames),
        (
            "batches_larger_than_a_chain_are_painted_as_single_frames",
            batches_larger_than_a_chain_are_painted_as_single_frames,
        ),
        ("styles_that_share_a_frame_paint_as_alone", styles_that_share_a_frame_paint_as_alone),
        (
            "frames_in_a_row_are_painted_as_single_frames",
            frames_in_a_row_are_painted_as_single_frames,
        ),
        ("cudnn_computes_the_baselines_convolutions_if_installed", cudnn_computes_convolutions),
        (
            "an_algorithm_that_is_prepared_again_computes_the_same_bits",
            cudnn::prepared_again_it_computes_the_same_bits,
        ),
        ("any_graph_is_right", general::any_graph_is_right),
        ("random_graphs_are_right", general::random_graphs_are_right),
        ("what_fp16_cannot_hold_is_refused", general::what_fp16_cannot_hold_is_refused),
        ("attention_is_right_in_every_way", tokens::attention_is_right_in_every_way),
        ("attention_of_long_sequences_is_right", tokens::attention_of_long_sequences_is_right),
        (
            "attention_of_a_long_sequence_to_itself_is_right",
            tokens::attention_of_a_long_sequence_to_itself_is_right,
        ),
        ("any_style_picture_is_right", tokens::any_style_picture_is_right),
        ("plain_networks_are_right", tokens::plain_networks_are_right),
        ("every_style_is_right_in_every_mode", styles::every_style_is_right_in_every_mode),
        ("pictures_are_the_pinned_ones", pinned::pictures_are_the_pinned_ones),
        (
            "live_pictures_are_fast_and_switch_at_once",
            live::live_pictures_are_fast_and_switch_at_once,
        ),
        (
            "paintings_are_composed_as_by_the_processor",
            composing::paintings_are_composed_as_by_the_processor,
        ),
        (
            "live_pictures_are_composed_as_by_the_processor",
            composing::live_pictures_are_composed_as_by_the_processor,
        ),
        (
            "paintings_are_steadied_as_by_the_processor",
            steady::paintings_are_steadied_as_by_the_processor,
        ),
        (
            "camera_frames_are_decoded_as_by_the_processor",
            raw::camera_frames_are_decoded_as_by_the_processor,
        ),
        ("bench_is_complete_and_sane", timing::bench_is_complete_and_sane),
    ];
    let trials = tests
        .into_iter()
        .map(|(name, test)| {
            let backend = backend.clone();
            let is_alone = name.starts_with("several_gpus") && !several::has_several_gpus();
            Trial::test(name, move || match backend {
                Some(backend) => test(backend.as_ref()),
                None => Err("no GPU".into()),
            })
            .with_kind(match (&reason, is_alone) {
                (Some(_), _) => "needs an NVIDIA GPU",
                (None, true) => "needs several GPUs",
                (None, false) => "",
            })
            .with_ignored_flag(reason.is_some() || is_alone)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn every_mode_paints_the_oracles_picture(backend: &dyn Backend) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    let mut count = 0;
    for subject in verify::adversarial_subjects()? {
        verify::verify(backend, &subject, &backend.modes(), 1, |verdict: verify::Verdict| {
            count += 1;
            if !verdict.passed {
                wrong.push(format!(
                    "{} {} {}: {}",
                    verdict.network,
                    verdict.picture,
                    verdict.mode,
                    verdict.failure.unwrap_or_default()
                ));
            }
        })?;
    }
    println!("{count} verdicts, {} wrong", wrong.len());
    if wrong.is_empty() {
        Ok(())
    } else {
        wrong.truncate(60);
        Err(wrong.join("\n").into())
    }
}

/// Each kernel alone, on the network's maps for noise and on random values around 0 and 1000.
fn every_kernel_computes_what_it_should(backend: &dyn Backend) -> Result<(), Failed> {
    let (mut wrong, mut count, mut worst) = (Vec::new(), 0, 0.0f64);
    for subject in verify::kernel_subjects()? {
        verify::verify_kernels(backend, &subject, &backend.modes(), |verdict| {
            count += 1;
            let share = verdict.rms_share.max(verdict.largest_share);
            if verdict.passed {
                worst = worst.max(share);
            } else {
                wrong.push(format!("{verdict:?}"));
            }
        })?;
    }
    println!(
        "{count} kernels, {} wrong; of the others at most {worst:.2} of the limit",
        wrong.len()
    );
    if !wrong.is_empty() {
        wrong.truncate(60);
        return Err(wrong.join("\n").into());
    }
    // All three variants in all precisions, with every launch.
    if count < 2000 {
        return Err(format!("only {count} kernels were looked at").into());
    }
    Ok(())
}

/// Kernels that the driver compiles for Ampere paint correctly, in plans for its shared memory, for that of consumer
/// cards, and for Turing's small shared memory with its smaller ring, where a layer's chunk is one step.
fn older_gpus_kernels_are_right_too(_: &dyn Backend) -> Result<(), Failed> {
    let older = [((8, 0), usize::MAX), ((8, 6), usize::MAX), ((8, 0), 80 << 10)]
        .map(|(older, shared_bytes)| cuda::open_as(None, older, shared_bytes));
    let kernels = kernels_of_right_ones(older, &network(), (75, 70), &|_| true)?;
    match kernels.iter().any(|kernel| kernel.contains("wgmma")) {
        true => Err("Hopper's own kernels ran".into()),
        false => Ok(()),
    }
}

/// Other kernels run if a multiprocessor has several tiles. On the whole device that only happens for pictures too
/// large for the oracle.
fn tiles_that_take_turns_are_right_too(backend: &dyn Backend) -> Result<(), Failed> {
    let narrow = [1, 2].map(|multiprocessors| cuda::open_narrow(None, multiprocessors));
    let kernels = kernels_of_right_ones(narrow, &network(), (75, 70), &|_| true)?;
    let is_hopper = backend.device().instructions.contains("sm_90");
    if is_hopper && !kernels.iter().any(|k| k.starts_with("wgmma_256x128")) {
        return Err(format!("no tiles of 256 pixels: {kernels:?}").into());
    }
    Ok(())
}

/// The size of the tiles that stay in shared memory from layer to layer, and the number of pieces, depend on the number
/// of multiprocessors.
fn tiles_of_all_sizes_are_right(backend: &dyn Backend) -> Result<(), Failed> {
    let is_hopper = backend.device().instructions.contains("sm_90");
    let precisions = [Precision::Fp16, Precision::Bf16, Precision::Int8];
    // The last entry, after the tile and a picture's size, is the channels and the kernel of a second network. It has
    // fewer channels than a tile, or wider kernels, whose values reach further into the neighbouring tiles.
    for (multiprocessors, tile, size, other) in [
        (3, "192x128", (75, 70), Some((80, 3))),
        (6, "128x128", (75, 70), Some((128, 5))),
        (9, "64x128", (75, 70), Some((96, 3))),
        // 14 to 16 and 13 pieces: the last CTA has fewer; with six pieces none is multiplied after the others. The map
        // ends in pieces.
        (5, "3x64x128", (62, 218), None),
        (4, "4x64x128", (67, 130), Some((96, 3))),
        (3, "5x64x128", (62, 218), None),
        (3, "6x64x128", (30, 510), None),
        (2, "7x64x128", (30, 410), Some((80, 3))),
    ] {
        for (channels, kernel) in [(128, 3)].into_iter().chain(other) {
            let is_plain = (channels, kernel) == (128, 3);
            let spec = NetworkSpec {
                blocks: 2,
                kernels: Kernels { residual: kernel, ..Kernels::default() },
                ..NetworkSpec::with_widths([16, 32, channels])
            };
            let network = Arc::new(spec.random(5).expect("a valid shape"));
            let of_mode = |mode: &Mode| {
                precisions.contains(&mode.precision)
                    && (is_plain || mode.precision != Precision::Bf16)
            };
            let narrow = [cuda::open_narrow(None, multiprocessors)];
            let kernels = kernels_of_right_ones(narrow, &network, size, &of_mode)?;
            for precision in precisions {
                let entry = format!("wgmma_{tile}_{precision}");
                if is_hopper && is_plain && !kernels.contains(&entry) {
                    return Err(format!("no {entry}: {kernels:?}").into());
                }
            }
        }
    }
    Ok(())
}

/// The kernels that `fused` runs on some devices in some modes, after a check that the kernels and the pictures are
/// correct.
fn kernels_of_right_ones<E: std::error::Error>(
    opened: impl IntoIterator<Item = Result<Arc<dyn Backend>, E>>,
    network: &Arc<Network>,
    size: (usize, usize),
    of_mode: &dyn Fn(&Mode) -> bool,
) -> Result<Vec<String>, Failed> {
    let (mut wrong, mut kernels) = (Vec::new(), Vec::new());
    for (at, backend) in opened.into_iter().enumerate() {
        let backend = backend.map_err(|error| error.to_string())?;
        let fused = |mode: &Mode| mode.variant == Variant::Fused && of_mode(mode);
        let modes: Vec<Mode> = backend.modes().into_iter().filter(fused).collect();
        let subject = Subject {
            name: format!("random, {at}"),
            network: Arc::clone(network),
            pictures: vec![(format!("{}x{}", size.0, size.1), picture(size.0, size.1))],
        };
        verify::verify(backend.as_ref(), &subject, &modes, 1, |verdict| {
            if !verdict.passed {
                wrong.push(format!("{verdict:?}"));
            }
        })?;
        verify::verify_kernels(backend.as_ref(), &subject, &modes, |verdict| {
            if !verdict.passed {
                wrong.push(format!("{verdict:?}"));
            }
            kernels.push(verdict.kernel);
        })?;
    }
    println!("{} kernels, {} wrong", kernels.len(), wrong.len());
    if !wrong.is_empty() {
        wrong.truncate(60);
        return Err(wrong.join("\n").into());
    }
    match kernels.len() {
        0 => Err("no kernel was looked at".into()),
        _ => Ok(kernels),
    }
}

fn network() -> Arc<Network> {
    let spec = NetworkSpec::with_widths([32, 64, 128]);
    Arc::new(spec.random(3).expect("a valid shape"))
}

fn picture(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| [(x * 5) as u8, (y * 7) as u8, ((x ^ y) * 3) as u8, 255])
}

fn memory_stays(backend: &dyn Backend) -> Result<(), Failed> {
    let mode = Mode::new(Variant::Fused, backend.auto_precision(Variant::Fused));
    let network = network();
    let photo = picture(160, 120);
    let mut painted = photo.clone();
    let control = RunControl::default();
    let spec = SessionSpec::single(160, 120, mode);
    let mut session = backend.open(&network, &spec)?;
    session.paint(&photo, &mut painted, &control)?;
    let first = painted.clone();
    let before = backend.free_bytes();
    for _ in 0..1000 {
        session.paint(&photo, &mut painted, &control)?;
        if painted != first {
            return Err("a later frame differs from the first".into());
        }
    }
    for _ in 0..200 {
        let mut other = backend.open(&network, &spec)?;
        other.paint(&photo, &mut painted, &control)?;
    }
    let after = backend.free_bytes();
    if before != after {
        return Err(format!("free memory went from {before:?} to {after:?}").into());
    }
    Ok(())
}

/// A recorded graph and the same launches one by one produce the same bits, and so do two runs of each. The same holds
/// for the steps one by one if the graph has several in one launch.
fn graph_and_launches_agree(backend: &dyn Backend) -> Result<(), Failed> {
    let network = network();
    let control = RunControl::default();
    // In the larger one norms are two steps and one launch.
    let sizes = [(150, 97), (260, 230)].into_iter();
    let both = sizes.flat_map(|size| backend.modes().into_iter().map(move |mode| (size, mode)));
    for ((width, height), mode) in both {
        let photo = picture(width, height);
        let mut session = backend.open(&network, &SessionSpec::single(width, height, mode))?;
        let session = session.inspect().ok_or("no look into the session")?;
        let mut paintings = Vec::new();
        for _ in 0..2 {
            let mut painted = photo.clone();
            session.run(
                Job::frames(&[&photo], std::slice::from_mut(&mut painted)),
                &control,
                None,
            )?;
            paintings.push(painted.clone());
            session.profile(&photo, &mut painted, &control)?;
            paintings.push(painted);
        }
        if paintings.iter().any(|p| *p != paintings[0]) {
            return Err(format!("{mode}: the graph's picture is not the launches'").into());
        }
        let levels = session.run_tensor(&photo, &RunControl::default(), None)?;
        let pixels = levels.shape.height * levels.shape.width;
        let level = |at: usize| (levels.data[at].clamp(0.0, 255.0) + 0.5).floor() as u8;
        let same = (paintings[0].rgba().chunks_exact(4).enumerate())
            .all(|(at, rgba)| (0..3).all(|c| rgba[c] == level(c * pixels + at)));
        if !same {
            return Err(format!("{mode}: the graph's picture is not the single steps'").into());
        }
    }
    Ok(())
}

/// Several frames at once are painted like each frame alone, in order. With our own kernels the bits are equal. A
/// library may choose another algorithm for a batch, so there the limit for the precision applies.
fn batches_are_painted_as_single_frames(backend: &dyn Backend) -> Result<(), Failed> {
    let frames: Vec<Frame> = (0..5)
        .map(|i| {
            Frame::from_fn(70, 45, |x, y| [(x * i) as u8, (y * 9) as u8, (x ^ y) as u8, i as u8])
        })
        .collect();
    backend
        .modes()
        .into_iter()
        .try_for_each(|mode| paints_a_batch_as_single_frames(backend, mode, &frames, 3))
}

/// Paints frames of one size, `batch` at once, and compares them with each frame alone: bit by bit, or by the limit for
/// a library's convolutions.
fn paints_a_batch_as_single_frames(
    backend: &dyn Backend,
    mode: Mode,
    frames: &[Frame],
    batch: usize,
) -> Result<(), Failed> {
    let (network, control) = (network(), RunControl::default());
    let (width, height) = (frames[0].width(), frames[0].height());
    let single = SessionSpec::single(width, height, mode);
    let mut session = backend.open(&network, &single)?;
    let mut expected = frames.to_vec();
    for (frame, painted) in frames.iter().zip(&mut expected) {
        session.paint(frame, painted, &control)?;
    }
    let mut session = backend.open(&network, &SessionSpec { batch, ..single })?;
    let mut painted = frames.to_vec();
    session.paint_all(frames, &mut painted, &control)?;
    let by_library = session.summary().conv_provider.is_some_and(|c| c.reason.is_none());
    let same = |(a, b)| Equality::between(a, b, [mode.precision; 2]).passed();
    if painted == expected || (by_library && painted.iter().zip(&expected).all(same)) {
        return Ok(());
    }
    Err(format!("{mode} at {width}x{height}: a batch of {batch} paints other pictures").into())
}

/// If a batch's chains do not fit the device, they run for a few frames at a time, or layers are launched one by one:
/// with the same bits.
fn batches_larger_than_a_chain_are_painted_as_single_frames(
    backend: &dyn Backend,
) -> Result<(), Failed> {
    // On a GPU with 132 multiprocessors, the chains of single frames have 32 CTAs, one for each group of statistics,
    // 36, 64, 80, 128, 100, 106 of five pieces and 132 of seven.
    let sizes = [
        (128, 256, 5),
        (192, 192, 4),
        (256, 256, 3),
        (320, 240, 3),
        (512, 512, 2),
        (640, 480, 2),
        (720, 720, 2),
        (1280, 720, 2),
    ];
    for (width, height, batch) in sizes {
        let frames: Vec<Frame> = (0..batch)
            .map(|i| {
                Frame::from_fn(width, height, |x, y| {
                    [(x * (i + 3)) as u8, (y * 9) as u8, (x ^ y) as u8, 255]
                })
            })
            .collect();
        for mode in backend.modes() {
            if mode.variant == Variant::Fused {
                paints_a_batch_as_single_frames(backend, mode, &frames, batch)?;
            }
        }
    }
    Ok(())
}

/// A frame that was sent to one session is painted by another one, in another mode or size of the network, as if it had
/// been sent there: bit by bit, repeatedly, alone and as a batch. The limit applies to a library's convolutions.
fn styles_that_share_a_frame_paint_as_alone(backend: &dyn Backend) -> Result<(), Failed> {
    let lite = Arc::new(models::random(ModelSize::Lite, 2)?);
    let control = RunControl::default();
    let frames = [3, 7].map(|i| {
        Frame::from_fn(90, 62, |x, y| [(x * i) as u8, (y * 9) as u8, (x ^ y) as u8, (x + y) as u8])
    });
    let mut shared = 0;
    for batch in [1, 2] {
        let frames = &frames[..batch];
        let spec = |mode| SessionSpec { batch, ..SessionSpec::single(90, 62, mode) };
        let first = Mode::new(Variant::Fused, Precision::Fp16);
        let mut sender = backend.open(&lite, &spec(first))?;
        let mut painted = frames.to_vec();
        sender.paint_all(frames, &mut painted, &control)?;
        let sent = sender.sent().ok_or("a frame that was sent is there")?;
        for mode in backend.modes() {
            let mut session = backend.open(&network(), &spec(mode))?;
            for round in 0..2 {
                let input = Input::Sent(&sent);
                let job = Job::new(input, &mut painted);
                session.run(job, &control, None)?;
                let mut expected = frames.to_vec();
                let mut alone = backend.open(&network(), &spec(mode))?;
                alone.paint_all(frames, &mut expected, &control)?;
                let mut pairs = painted.iter().zip(&expected);
                let same = |(a, b)| Equality::between(a, b, [mode.precision; 2]).passed();
                let is_right = match session.summary().conv_provider {
                    Some(_) => pairs.all(same),
                    None => painted == expected,
                };
                if !is_right {
                    return Err(
                        format!("{mode}, batch {batch}, round {round}: another picture").into()
                    );
                }
                shared += 1;
            }
        }
    }
    println!("{shared} runs of frames that were sent elsewhere");
    Ok(())
}

/// Frames whose transfers overlap with the painting of others are painted like each frame alone, bit by bit, in any
/// mode, and so are the frames after them.
fn frames_in_a_row_are_painted_as_single_frames(backend: &dyn Backend) -> Result<(), Failed> {
    let network = network();
    let control = RunControl::default();
    let (width, height) = (320, 200);
    let frames: Vec<Frame> = (0..9)
        .map(|i| {
            Frame::from_fn(width, height, |x, y| {
                [(x * (i + 1)) as u8, (y * 3) as u8, (x ^ y) as u8, (200 + i) as u8]
            })
        })
        .collect();
    for mode in backend.modes() {
        let single = SessionSpec::single(width, height, mode);
        let mut session = backend.open(&network, &single)?;
        let mut expected = frames.clone();
        for (frame, painted) in frames.iter().zip(&mut expected) {
            session.paint(frame, painted, &control)?;
        }
        for count in [9, 2, 8] {
            let mut painted = vec![Frame::from_fn(width, height, |_, _| [7; 4]); count];
            session.paint_all(&frames[..count], &mut painted, &control)?;
            if painted != expected[..count] {
                return Err(format!("{mode}: {count} frames in a row are other pictures").into());
            }
        }
        let mut last = frames[3].clone();
        session.paint(&frames[3], &mut last, &control)?;
        if last != expected[3] {
            return Err(format!("{mode}: a single frame after them is another picture").into());
        }
    }
    Ok(())
}

/// If cuDNN is installed, the modes that leave convolutions to a library name it, launch none of our own convolutions,
/// and paint the same as our own kernels. Otherwise they report why they do not use it.
fn cudnn_computes_convolutions(backend: &dyn Backend) -> Result<(), Failed> {
    let network = network();
    let control = RunControl::default();
    let photo = picture(150, 97);
    let installed = cuda::cudnn::installed();
    println!("{installed:?}");
    for mode in backend.modes() {
        let single = SessionSpec::single(150, 97, mode);
        let mut session = backend.open(&network, &single)?;
        let summary = session.summary();
        let label = ConvProvider::mode_label(mode, summary.conv_provider.as_ref());
        let leaves = mode.variant != Variant::Fused && mode.precision != Precision::Mixed;
        let (expected, said) = match &installed {
            Ok(name) if leaves => (Some(name.as_str()), None),
            Err(reason) if leaves => (Some("own kernels"), Some(reason.clone())),
            _ => (None, None),
        };
        let Some(conv_provider) = &summary.conv_provider else {
            match expected {
                None => continue,
                Some(name) => return Err(format!("{label}: {name} is not named").into()),
            }
        };
        if Some(conv_provider.name.as_str()) != expected || conv_provider.reason != said {
            return Err(format!("{label}: {conv_provider:?}").into());
        }
        let own = summary.steps.iter().any(|(_, kernel)| kernel.starts_with("conv_"));
        if own == installed.is_ok() {
            return Err(format!("{label}: {:?}", summary.steps).into());
        }
        let mut painted = photo.clone();
        session.paint(&photo, &mut painted, &control)?;
        let fused = Mode::new(Variant::Fused, mode.precision);
        let mut expected = photo.clone();
        let mut session = backend.open(&network, &SessionSpec { mode: fused, ..single })?;
        session.paint(&photo, &mut expected, &control)?;
        let equality = Equality::between(&painted, &expected, [mode.precision; 2]);
        if let Some(failure) = equality.failure {
            return Err(format!("{label} against {fused}: {failure}").into());
        }
    }
    Ok(())
}
