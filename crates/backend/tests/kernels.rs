//! The compile gate, without a GPU: every kernel compiles without warnings and spills, to what the bundle contains.
//!
//! With `STYLEFORGE_EVERY_KERNEL=1` every kernel is compiled for every architecture, and with
//! `STYLEFORGE_WRITE_KERNELS=1` the bundle is also written instead of compared. Otherwise a quarter of the images is
//! compiled: the bundle, which nothing but the whole gate writes, names the sources that it is from.
#![allow(clippy::expect_used)]

#[path = "../../../kernels/compiler.rs"]
mod compiler;
#[path = "../../../tests/support/general_graphs/mod.rs"]
mod general_graphs;
#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../kernels/params.rs"]
mod params;

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use backend::cuda::bundle::{self, Bundle};
use compiler::{CompilerError, Image, Nvrtc, Source, Sources, TARGETS, Usage};
use lzma_rust2::{LzmaOptions, LzmaWriter};
use network::{
    graph::Graph,
    models::johnson::{NetworkSpec, reference::Part},
};
use plan::cuda::{CudaOp, CudaPlan, CudaPlanError, DeviceLimits, MainLoop, Tile, static_bytes};
use values::mode::{AttentionChoice, Mode, Precision};

fn folder() -> PathBuf {
    crate::home::project().join("kernels")
}

fn sources() -> Sources {
    Sources::read(&folder()).expect("readable sources")
}

fn is_written() -> bool {
    env::var_os("STYLEFORGE_WRITE_KERNELS").is_some()
}

fn is_whole() -> bool {
    is_written() || env::var_os("STYLEFORGE_EVERY_KERNEL").is_some()
}

/// The kernels, compiled once for all tests; images from the build are reused.
fn images() -> &'static [Image] {
    static IMAGES: OnceLock<Vec<Image>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let nvrtc = Nvrtc::find().unwrap_or_else(|error| panic!("{error}"));
        let compiled = |sources: &Sources, only: &[&str]| {
            let cache = Path::new(env!("OUT_DIR")).join("kernels");
            nvrtc.compile_all(sources, &cache, only).unwrap_or_else(|error| panic!("{error}"))
        };
        if is_whole() {
            return compiled(&sources(), &[]);
        }
        let for_target = |target: &&'static str| {
            let mut sources = sources();
            let sampled = sample(&sources, target);
            sources.programs.retain(|program| sampled.contains(&program.name));
            compiled(&sources, &[*target])
        };
        TARGETS.iter().flat_map(for_target).collect()
    })
}

/// The programs of which the image for `target` is in the sample: every fourth image, and other ones if a source changes.
fn sample(sources: &Sources, target: &str) -> Vec<String> {
    let turn = usize::from(sources.digest()[0]);
    let images = sources.programs.iter().flat_map(|program| {
        program
            .targets()
            .expect("known architectures")
            .into_iter()
            .map(move |target| (program, target))
    });
    images
        .skip(turn % 4)
        .step_by(4)
        .filter(|(_, for_target)| *for_target == target)
        .map(|(program, _)| program.name.clone())
        .collect()
}

/// The bundle in its committed form.
fn packed(digest: &[u8; 32], images: &[Image]) -> Vec<u8> {
    let entries = compiler::entries(images);
    let assembly = images.iter().filter(|i| i.target.starts_with("compute_"));
    let lengths = assembly.map(|i| i.file.len() + i.target.len() + i.bytes.len());
    // PTX comes last.
    let (code, assembly) = entries.split_at(entries.len() - lengths.sum::<usize>());
    let (mut turns, mut around, mut instructions, mut end) =
        (Vec::new(), Vec::new(), Vec::new(), 0);
    for range in instruction_ranges(code, images) {
        for bytes in [range.start - end, range.len()] {
            turns.extend((bytes as u32).to_le_bytes());
        }
        around.extend(&code[end..range.start]);
        instructions.extend(&code[range.clone()]);
        end = range.end;
    }
    around.extend(&code[end..]);
    let count = (turns.len() / 8) as u32;
    let around = [&count.to_le_bytes()[..], &turns, &around].concat();
    let streams = [
        compressed(&around, [3, 0, 2]),
        // An instruction takes 16 bytes.
        compressed(&instructions, [0, 4, 4]),
        compressed(assembly, [4, 0, 0]),
    ];
    let lengths = [&streams[0], &streams[1]].map(|stream| (stream.len() as u32).to_le_bytes());
    compiler::bundle(digest, &[lengths.concat(), streams.concat()].concat(), true)
}

/// The ranges of instructions in the entries of machine code: the executable sections of each ELF file.
fn instruction_ranges(code: &[u8], images: &[Image]) -> Vec<Range<usize>> {
    let number = |bytes: &[u8], at: usize, length: usize| {
        bytes[at..at + length]
            .iter()
            .rev()
            .fold(0, |number, &digit| number << 8 | usize::from(digit))
    };
    let mut ranges = Vec::new();
    let mut start = 4 + 12 * images.len();
    for image in images {
        start += image.file.len() + image.target.len();
        let elf = &image.bytes;
        if elf.starts_with(b"\x7fELF") && start + elf.len() <= code.len() {
            let (table, row, rows) = (number(elf, 40, 8), number(elf, 58, 2), number(elf, 60, 2));
            let sections = (0..rows).map(|i| &elf[table + row * i..]);
            let executable = sections.filter(|section| number(section, 8, 8) & 4 != 0);
            let mut of_image: Vec<Range<usize>> = executable
                .map(|section| (start + number(section, 24, 8), number(section, 32, 8)))
                .map(|(at, length)| at..at + length)
                .collect();
            of_image.sort_by_key(|range| range.start);
            ranges.extend(of_image);
        }
        start += elf.len();
    }
    ranges
}

fn compressed(bytes: &[u8], [lc, lp, pb]: [u32; 3]) -> Vec<u8> {
    let options = LzmaOptions {
        // The dictionary covers all of it, so that code shared by architectures is stored once.
        dict_size: bytes.len().next_power_of_two().max(1 << 16) as u32,
        nice_len: LzmaOptions::NICE_LEN_MAX,
        lc,
        lp,
        pb,
        ..LzmaOptions::with_preset(9)
    };
    let size = Some(bytes.len() as u64);
    let mut writer = LzmaWriter::new_use_header(Vec::new(), &options, size).expect("options");
    writer.write_all(bytes).expect("memory");
    writer.finish().expect("memory")
}

#[test]
#[cfg_attr(
    not(nvrtc),
    ignore = "needs NVRTC 12.9: pip install --target target/nvrtc --no-deps \
              -r kernels/requirements.txt, and STYLEFORGE_NVRTC=target/nvrtc"
)]
fn kernels_compile_without_warnings_or_spills() {
    assert!(images().len() > 20);
    let complaints = complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for image in images() {
        if image.target.starts_with("sm_") {
            assert!(
                !image.usage().is_empty(),
                "{}.cu for {}: no kernel is reported:\n{}",
                image.file,
                image.target,
                image.log
            );
        }
    }
}

fn complaints() -> Vec<String> {
    images().iter().flat_map(Image::complaints).collect()
}

/// Bounded waits are only compiled for work on kernels; each file has its own kind of waits.
#[test]
#[cfg_attr(
    not(nvrtc),
    ignore = "needs NVRTC 12.9: pip install --target target/nvrtc --no-deps \
              -r kernels/requirements.txt, and STYLEFORGE_NVRTC=target/nvrtc"
)]
fn waits_can_be_bounded() {
    let bounded = ["wgmma_tf32.cu", "token_linear_wgmma.cu"];
    let mut sources = sources();
    sources.programs.retain(|program| bounded.contains(&program.name.as_str()));
    sources.bound_waits();
    let nvrtc = Nvrtc::find().expect("the compiler");
    let cache = Path::new(env!("OUT_DIR")).join("bounded");
    let compiled = nvrtc.compile_all(&sources, &cache, &["sm_90a"]).expect("they compile");
    assert_eq!(compiled.len(), bounded.len());
    let bundle = bundle::embedded().expect("a bundle");
    for image in compiled {
        let (_, plain) = bundle
            .images()
            .find(|(file, known)| (*file, known.target) == (&image.file, image.target))
            .expect("the same, unbounded");
        assert_ne!(image.bytes, plain.bytes, "{}: it counts nothing", image.file);
        let warnings = image
            .complaints()
            .into_iter()
            .filter(|c| !c.contains("spills") && !c.contains("Performance Loss"));
        assert_eq!(warnings.collect::<Vec<_>>(), [""; 0]);
    }
}

#[test]
#[cfg_attr(
    not(nvrtc),
    ignore = "needs NVRTC 12.9: pip install --target target/nvrtc --no-deps \
              -r kernels/requirements.txt, and STYLEFORGE_NVRTC=target/nvrtc"
)]
fn the_bundle_is_what_the_sources_compile_to() {
    let path = folder().join("bundle.bin");
    let digest = sources().digest();
    if is_written() {
        let complaints = complaints();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        let bundle = packed(&digest, images());
        fs::write(&path, &bundle).expect("a writable folder");
        println!("kernel, architecture: registers, shared bytes, stack bytes");
        for image in images() {
            for usage in image.usage() {
                println!(
                    "{}, {}: {}, {}, {}",
                    usage.entry,
                    image.target,
                    usage.registers,
                    usage.shared_bytes,
                    usage.stack_bytes
                );
            }
        }
        let raw: usize = images().iter().map(|image| image.bytes.len()).sum();
        println!(
            "{}: {} bytes, {} images of {raw} bytes",
            path.display(),
            bundle.len(),
            images().len()
        );
        return;
    }
    let committed = fs::read(&path).unwrap_or_default();
    let is_right = if is_whole() {
        committed == packed(&digest, images())
    } else {
        compiler::is_fresh(&committed, &digest) && others(committed.clone()).is_empty()
    };
    assert!(
        is_right,
        "kernels/bundle.bin is stale; write it: STYLEFORGE_WRITE_KERNELS=1 cargo test --test kernels\n\
         other images than in it, which with the sources unchanged means that the compiler makes one or the other: {:?}",
        others(committed)
    );
}

/// The images that a bundle lacks or contains with other bytes.
fn others(committed: Vec<u8>) -> Vec<(&'static str, &'static str)> {
    let committed = Bundle::read(committed.leak()).ok();
    let images = images().iter().filter(|image| {
        !committed.iter().flat_map(Bundle::images).any(|(file, known)| {
            (file, known.target, known.bytes)
                == (image.file.as_str(), image.target, &image.bytes[..])
        })
    });
    images.map(|image| (image.file.as_str(), image.target)).collect()
}

#[test]
#[cfg_attr(
    not(nvrtc),
    ignore = "needs NVRTC 12.9: pip install --target target/nvrtc --no-deps \
              -r kernels/requirements.txt, and STYLEFORGE_NVRTC=target/nvrtc"
)]
fn static_shared_memory_is_what_the_plans_count_with() {
    let mut seen = 0;
    for image in images() {
        for usage in image.usage() {
            let Some((tile, main_loop)) = conv_entry(&usage.entry) else {
                continue;
            };
            seen += 1;
            // The picture has no statistics; the compiler omits their memory if nothing else uses it.
            let expected = match (usage.entry.contains("picture"), main_loop) {
                (true, MainLoop::Fma | MainLoop::Mma) => 0,
                _ => static_bytes(tile, main_loop),
            };
            assert_eq!(usage.shared_bytes, expected, "{} {}", usage.entry, image.target);
        }
    }
    assert!(seen > if is_whole() { 100 } else { 20 }, "only {seen} convolutions");
}

/// Tile and loop of `FAMILY_[photo_|picture_|leading_][Kx]PxN[_chunked]_PRECISION`.
fn conv_entry(entry: &str) -> Option<(Tile, MainLoop)> {
    let (family, rest) = entry.split_once('_')?;
    let precision: Precision = rest.rsplit('_').next()?.parse().ok()?;
    let main_loop = match (family, precision) {
        ("conv", Precision::Fp32) => MainLoop::Fma,
        ("conv", _) => MainLoop::Mma,
        ("wgmma", _) => MainLoop::Wgmma,
        _ => return None,
    };
    let numbers = rest.split('_').find(|part| part.contains('x'))?;
    let numbers: Vec<usize> =
        (numbers.split('x').map(str::parse).collect::<Result<_, _>>()).ok()?;
    let (pieces, pixels, channels) = match numbers[..] {
        [pixels, channels] => (1, pixels, channels),
        [pieces, pixels, channels] => (pieces, pieces * pixels, channels),
        _ => return None,
    };
    let columns = match (pieces, pixels, channels) {
        (1, 256, Tile::CHAIN_CHANNELS) => Tile::DEEP.columns,
        _ => Tile::CHAIN.columns,
    };
    let tile = Tile { pixels, channels, columns, pieces };
    Some((tile, main_loop))
}

#[test]
fn every_launch_of_every_plan_has_its_kernel_in_the_bundle() {
    let bundle = bundle::embedded().expect("a bundle");
    let limits = |major: i32, minor: i32, shared_kib: usize| DeviceLimits {
        compute_capability: (major, minor),
        multiprocessors: 64,
        shared_bytes_per_cta: shared_kib * 1024,
        shared_bytes_per_multiprocessor: shared_kib * 1024,
    };
    let devices = [
        limits(7, 5, 64),
        limits(8, 0, 163),
        limits(8, 6, 99),
        limits(9, 0, 227),
        limits(12, 0, 99),
    ];
    let mut entries = BTreeSet::new();
    for device in devices {
        for (widths, size) in [
            ([16, 32, 64], (96, 150)),
            ([32, 64, 128], (96, 150)),
            ([32, 64, 128], (720, 1280)),
            ([128, 256, 512], (96, 150)),
        ] {
            for mode in Mode::all() {
                let graph = NetworkSpec::with_widths(widths).graph().expect("a graph");
                let Ok(plan) = CudaPlan::new(&graph, size, 1, mode, &device) else {
                    continue;
                };
                for step in plan.steps {
                    entries.insert((step.file, step.entry, device.compute_capability));
                }
            }
        }
    }
    // The reference shapes of bench run in the kernels for Johnson's networks, in every mode of these.
    for (device, mode) in devices.iter().flat_map(|d| Mode::all().map(move |mode| (d, mode))) {
        let published = NetworkSpec::with_widths([32, 64, 128]).graph().expect("a graph");
        if CudaPlan::new(&published, (512, 512), 1, mode, device).is_err() {
            continue;
        }
        for (channels, size) in
            [(32, (512, 512)), (128, (128, 128)), (32, (29, 37)), (128, (8, 10))]
        {
            for part in [Part::Layer, Part::ResidualBlock] {
                let graph = part.graph(channels).expect("a graph");
                let plan = CudaPlan::new(&graph, size, 1, mode, device)
                    .expect("a plan of the reference shape");
                assert!(!plan.is_general(), "{part:?} {mode}");
                for step in plan.steps {
                    entries.insert((step.file, step.entry, device.compute_capability));
                }
            }
        }
    }
    assert!(entries.len() > 100);
    let johnsons = entries.len();
    for case in general_graphs::cases() {
        let size = (case.photo.height(), case.photo.width());
        for mode in general_graphs::modes() {
            let ways = AttentionChoice::ALL.iter();
            for (device, &attention) in
                devices.iter().flat_map(|d| ways.clone().map(move |w| (d, w)))
            {
                let mode = mode.with_attention(attention);
                let Some(plan) = general_plan(case.network.graph(), size, 2, mode, device) else {
                    continue;
                };
                check_memory(&case.name, &plan);
                for step in plan.steps {
                    assert!(step.shared_bytes as usize <= device.shared_bytes_per_cta);
                    entries.insert((step.file, step.entry, device.compute_capability));
                }
            }
        }
    }
    // The kernels for tokens depend on the number of tokens.
    for head_size in [32, 64, 128] {
        for (heads, side) in [(1, 8), (8, 16), (8, 64)] {
            let graph = general_graphs::attention_case((heads, head_size), (1, 1), None);
            for (device, mode) in devices
                .iter()
                .flat_map(|device| general_graphs::modes().map(move |mode| (device, mode)))
            {
                let graph = graph.network.graph();
                let Some(plan) = general_plan(graph, (side, side), 1, mode, device) else {
                    continue;
                };
                for step in plan.steps {
                    assert!(step.shared_bytes as usize <= device.shared_bytes_per_cta);
                    entries.insert((step.file, step.entry, device.compute_capability));
                }
            }
        }
    }
    let count = |is_own: &dyn Fn(&str) -> bool| {
        entries.iter().map(|(_, entry, _)| entry.as_str()).filter(|entry| is_own(entry)).count()
    };
    // All entries of the general kernels, on every device; bf16 not on the oldest one.
    assert_eq!(count(&|entry| entry.starts_with("general_")), 42 * devices.len() - 13);
    let is_plain = |entry: &str| {
        ["attention_naive_", "attention_tiled_", "attention_online_"]
            .iter()
            .any(|way| entry.starts_with(way))
    };
    assert_eq!(count(&is_plain), 25 * devices.len() - 8);
    // All except those for which a device has too little memory or, on Hopper, a faster kernel.
    for (entry, most) in [
        ("attention_flash_32x1_f16", 5),
        ("attention_flash_32x2_f16", 5),
        ("attention_flash_64x1_f16", 4),
        ("attention_flash_64x2_f16", 4),
        ("attention_flash_128x1_f16", 4),
        ("attention_flash_128x2_f16", 4),
        ("attention_wgmma_64_f16", 1),
        ("attention_wgmma_128_f16", 1),
        ("attention_flash_32x1_bf16", 4),
        ("attention_flash_32x2_bf16", 4),
        ("attention_flash_64x1_bf16", 3),
        ("attention_flash_64x2_bf16", 4),
        ("attention_flash_128x1_bf16", 3),
        ("attention_flash_128x2_bf16", 4),
        ("attention_wgmma_64_bf16", 1),
        ("attention_wgmma_128_bf16", 1),
    ] {
        assert_eq!(count(&|name| name == entry), most, "{entry}");
    }
    assert!(count(&|entry| entry.starts_with("token_linear_")) > 2 * devices.len());
    assert!(entries.len() > johnsons);
    for (file, entry, capability) in entries {
        let image = bundle.image(&file, capability).expect("an image");
        let name = entry.as_bytes();
        let found = image.bytes.windows(name.len()).any(|w| w == name);
        assert!(found, "{entry} is not in {file} for {}", image.target);
    }
}

/// The plan of a general graph for a photo; `None` if the device does not support the precision.
fn general_plan(
    graph: &Graph,
    photo: (usize, usize),
    batch: usize,
    mode: Mode,
    device: &DeviceLimits,
) -> Option<CudaPlan> {
    match CudaPlan::new(graph, photo, batch, mode, device) {
        Ok(plan) => Some(plan),
        Err(CudaPlanError::Precision { .. }) if device.compute_capability < (8, 0) => None,
        Err(error) => panic!("{mode}: {error}"),
    }
}

/// Checks that maps that are needed at the same time do not overlap, and that all are inside the arena.
fn check_memory(name: &str, plan: &CudaPlan) {
    let mut owners: Vec<Range<usize>> = Vec::new();
    let mut written: Vec<Option<Range<usize>>> = vec![None; plan.maps.len()];
    for step in &plan.steps {
        let (reads, writes) = match step.op {
            CudaOp::General(op) => {
                let (reads, to) = op.maps();
                (reads, vec![to])
            }
            CudaOp::LoadPhoto { to, .. } => (vec![], vec![to]),
            CudaOp::Node { from, other: None, to, .. } => (vec![from], vec![to]),
            CudaOp::StorePicture { from } => (vec![from], vec![]),
            // Plans with Johnson's kernels have their own tests.
            _ => return,
        };
        for &map in &reads {
            let is_there = written[map].as_ref().is_some_and(|place| owners.contains(place));
            assert!(is_there, "{name}: {} reads what is overwritten", step.layer);
        }
        for map in writes {
            let place = place_of(plan, map);
            assert!(place.end <= plan.arena_bytes && place.start.is_multiple_of(256));
            assert!(
                reads.iter().all(|&read| read == map || !overlap(&place_of(plan, read), &place)),
                "{name}"
            );
            owners.retain(|other| !overlap(other, &place));
            owners.push(place.clone());
            written[map] = Some(place);
        }
    }
}

fn place_of(plan: &CudaPlan, map: usize) -> Range<usize> {
    let buffer = &plan.maps[map];
    buffer.offset..buffer.offset + buffer.bytes
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

#[test]
fn a_bundle_is_read_as_it_was_written() {
    let image = |file: &str, target, bytes: &[u8]| Image {
        file: file.to_owned(),
        target,
        bytes: bytes.to_vec(),
        log: String::new(),
    };
    let images = [
        image("a", "sm_80", &[7; 1000]),
        image("a", "compute_80", b"// ptx\0"),
        image("b", "sm_90a", &[]),
    ];
    let digest = [3; 32];
    let stored = compiler::bundle(&digest, &compiler::entries(&images), false);
    let packed = packed(&digest, &images);
    assert!(packed.len() < stored.len());
    for bytes in [stored, packed] {
        assert!(compiler::is_fresh(&bytes, &digest));
        assert!(!compiler::is_fresh(&bytes, &[4; 32]));
        let bundle = Bundle::read(bytes.leak()).expect("a bundle");
        let read: Vec<_> =
            bundle.images().map(|(file, i)| (file, i.target, i.bytes.to_vec())).collect();
        let written: Vec<_> =
            images.iter().map(|i| (i.file.as_str(), i.target, i.bytes.clone())).collect();
        assert_eq!(read, written);
    }
}

#[test]
fn the_compilers_report_is_understood() {
    let image = Image {
        file: "norm".to_owned(),
        target: "sm_80",
        bytes: Vec::new(),
        log: "\
norm.cu(3): warning #177-D: variable \"x\" was declared but never referenced
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'good' for 'sm_80'
ptxas info    : Function properties for good
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 1 barriers, 2048 bytes smem, 368 bytes cmem[0]
ptxas info    : (C7514) Potential Performance Loss: wgmma.mma_async instructions are serialized in the function 'good'
ptxas info    : Compiling entry function 'bad' for 'sm_80'
ptxas info    : Function properties for bad
ptxas         .     40 bytes stack frame, 36 bytes spill stores, 48 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers, 368 bytes cmem[0]"
            .to_owned(),
    };
    let usage = |entry: &str, registers, spill_bytes, stack_bytes, shared_bytes| Usage {
        entry: entry.to_owned(),
        registers,
        spill_bytes,
        stack_bytes,
        shared_bytes,
    };
    assert_eq!(image.usage(), [usage("good", 8, 0, 0, 2048), usage("bad", 255, 84, 40, 0)]);
    let complaints = image.complaints();
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    assert!(complaints[0].contains("norm.cu for sm_80") && complaints[0].contains("#177-D"));
    assert!(complaints[1].contains("norm.cu for sm_80") && complaints[1].contains("C7514"));
    assert!(complaints[2].contains("bad spills") && complaints[2].contains("84"));
}

#[test]
fn a_program_may_be_for_some_architectures_only() {
    let program = |text: &str| Source { name: "a.cu".to_owned(), text: text.to_owned() };
    let all = program("// Sums.\n\n#include \"element.cuh\"\n// targets: sm_90a\n");
    assert_eq!(all.targets().expect("targets"), TARGETS);
    let some = program("// Sums.\n// targets: sm_90a, sm_120\n\nint x;");
    assert_eq!(some.targets().expect("targets"), ["sm_90a", "sm_120"]);
    let wrong = program("// targets: sm_91");
    assert!(matches!(
        wrong.targets(),
        Err(CompilerError::Target { target, .. }) if target == "sm_91"
    ));
}

#[test]
#[cfg_attr(
    not(nvrtc),
    ignore = "needs NVRTC 12.9: pip install --target target/nvrtc --no-deps \
              -r kernels/requirements.txt, and STYLEFORGE_NVRTC=target/nvrtc"
)]
fn only_what_changed_is_compiled_again() {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let kernel = |name: &str, header: &str| {
        let include = format!("#include \"{header}\"\n");
        let code = format!("extern \"C\" __global__ void {name}(int* x) {{ *x = VALUE; }}\n");
        source(&format!("{name}.cu"), &format!("// targets: sm_80\n{include}{code}"))
    };
    let mut sources = Sources {
        programs: vec![kernel("a", "one.cuh"), kernel("b", "two.cuh")],
        headers: vec![
            source("one.cuh", "#include \"value.cuh\"\n"),
            source("two.cuh", "#define VALUE 2\n"),
            source("value.cuh", "#define VALUE 1\n"),
        ],
    };
    let folder = tempfile::tempdir().expect("a folder");
    let nvrtc = Nvrtc::find().unwrap_or_else(|error| panic!("{error}"));
    let mut compiled = || -> (Vec<Image>, Vec<PathBuf>) {
        let images = nvrtc.compile_all(&sources, folder.path(), &[]);
        let entries = fs::read_dir(folder.path()).expect("a folder");
        let mut files: Vec<PathBuf> = entries.map(|e| e.expect("a file").path()).collect();
        files.sort();
        // The next call changes a header that `a` includes through another header.
        sources.headers[2].text = "#define VALUE 3\n".to_owned();
        (images.unwrap_or_else(|error| panic!("{error}")), files)
    };
    let (first, first_files) = compiled();
    let (second, second_files) = compiled();
    let (third, third_files) = compiled();
    assert_ne!(first[0].bytes, second[0].bytes);
    assert_eq!(first[1].bytes, second[1].bytes);
    assert_eq!((first_files.len(), second_files.len()), (2, 2));
    let kept = first_files.iter().filter(|f| second_files.contains(f));
    assert_eq!(kept.count(), 1, "a's image was replaced, b's was kept");
    assert_eq!(second_files, third_files);
    for (from_compiler, from_cache) in second.iter().zip(&third) {
        assert_eq!(from_compiler.bytes, from_cache.bytes);
        assert_eq!(from_compiler.log, from_cache.log);
    }
}

#[test]
fn the_digest_sees_every_source() {
    let digest_of = |name: &str, text: &str| {
        let source = Source { name: name.to_owned(), text: text.to_owned() };
        let sources = Sources { programs: vec![source], headers: Vec::new() };
        sources.digest()
    };
    let one = digest_of("a.cu", "int x;");
    assert_eq!(one, digest_of("a.cu", "int x;"));
    assert_ne!(one, digest_of("b.cu", "int x;"));
    assert_ne!(one, digest_of("a.cu", "int y;"));
    assert_ne!(one, digest_of("a.cui", "nt x;"));
}

#[test]
fn parameter_blocks_are_translated_field_by_field() {
    let translated = |text: &str| {
        let source = Source { name: "a.cu".to_owned(), text: text.to_owned() };
        params::translated([source].iter())
    };
    let block = "#pragma once\n// What `a` reads.\nstruct AParams {\n    const void* from;  // a map\n    \
                 int first[2];\n    Other other;\n};\nstatic_assert(sizeof(AParams) == 24, \"\");\n";
    let rust = translated(block).expect("translated");
    let fields = "#[doc = \" a map\"]\npub from: u64,\npub first: [i32; 2],\npub other: Other,";
    for part in
        [fields, "#[doc = \" What `a` reads.\"]", "size_of::<AParams>() == 24", "A(AParams)"]
    {
        assert!(rust.contains(part), "{part} in {rust}");
    }
    // Without an assertion of its size it is not a parameter block.
    let other = block.replace("== 24", "<= 24");
    assert!(!translated(&other).expect("translated").contains("AParams"));
    let two_in_a_line = block.replace("int first[2];", "int first, second");
    let refused = translated(&two_in_a_line).expect_err("refused");
    assert!(refused.contains("a.cu: AParams"), "{refused}");
}
