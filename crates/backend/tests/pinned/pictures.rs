//! The CPU's pictures bit by bit: every shipped style, full and lite, at three sizes, in both variants, with every
//! instruction set of this CPU.

use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use values::mode::{Mode, ModelSize, Precision, Variant};
use weights::Checkpoint;

use super::{
    digest, file,
    shipped::{STYLES, waves},
    unpacked, write_packed,
};

/// Width and height in pixels: odd sides, and one below the network's minimum.
const SIZES: [(usize, usize); 3] = [(128, 96), (75, 61), (3, 9)];

#[test]
fn the_processors_pictures_are_the_pinned_ones() {
    let pinned = unpacked("pictures.txt.xz");
    let mut lines: Vec<String> = Vec::new();
    let backends = CpuBackend::for_each_instruction_set(None).expect("threads");
    for backend in &backends {
        let instructions = backend.device().instructions;
        for style in STYLES {
            for &size in ModelSize::ALL {
                let path = format!("../../styles/{style}/{size}.safetensors");
                let checkpoint = Checkpoint::read(&file(&path)).expect("a shipped style");
                for variant in [Variant::Baseline, Variant::Fused] {
                    let mode = Mode::new(variant, Precision::Fp32);
                    for (width, height) in SIZES {
                        let input = waves(width, height, 0);
                        let spec = SessionSpec::single(width, height, mode);
                        let mut session = backend.open(&checkpoint.network, &spec).expect("opens");
                        let mut painted = input.clone();
                        session.paint(&input, &mut painted, &RunControl::default()).expect("a run");
                        lines.push(format!(
                            "{instructions} {style} {size} {mode} {width}x{height}: {}",
                            digest(painted.rgba())
                        ));
                    }
                }
            }
        }
    }
    assert_eq!(lines.len(), backends.len() * 6 * 2 * 2 * SIZES.len());
    if std::env::var_os("STYLEFORGE_PIN").is_some() {
        // Values that were pinned on another CPU are kept.
        let own: Vec<String> = lines.iter().map(|line| name_of(line)).collect();
        let others = pinned.lines().filter(|line| !own.contains(&name_of(line)));
        let mut all: Vec<String> = others.map(str::to_owned).chain(lines).collect();
        all.sort_unstable();
        write_packed("pictures.txt.xz", &(all.join("\n") + "\n"));
        return;
    }
    let mut held = 0;
    for line in &lines {
        let name = name_of(line);
        // An instruction set without pinned values cannot be compared.
        if let Some(wanted) = pinned.lines().find(|pinned| name_of(pinned) == name) {
            assert_eq!(line, wanted);
            held += 1;
        }
    }
    assert!(held > 0, "nothing is pinned for {:?}", lines.first());
}

fn name_of(line: &str) -> String {
    line.rsplit_once(": ").map_or(line, |(name, _)| name).to_owned()
}
