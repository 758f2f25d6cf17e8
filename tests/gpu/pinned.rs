//! The GPU's pictures bit by bit: every shipped style, full and lite, in every mode, compared with the pinned values
//! for this device in `tests/pinned/gpu.txt.xz`.
//!
//! Pictures with convolutions by a library are skipped: the algorithm that it finds fastest may change from run to run.
//! With `STYLEFORGE_PIN=FILE` the lines are written to that file instead, to be packed with `xz -9e --check=crc32`.

use std::{fs, io::Read, sync::Arc};

use backend::{Backend, RunControl, SessionSpec};
use libtest_mimic::Failed;
use lzma_rust2::XzReader;
use plan::ConvProvider;
use sha2::{Digest, Sha256};
use values::{frame::Frame, mode::ModelSize};
use weights::Checkpoint;

use super::{
    shipped::{STYLES, waves},
    styles::root,
};

/// Width, height and number of frames at once: the usual size for measurements, larger tiles, odd sides, a batch.
const RUNS: [(usize, usize, usize); 4] =
    [(512, 512, 1), (1280, 720, 1), (331, 203, 1), (75, 61, 3)];

pub fn pictures_are_the_pinned_ones(backend: &dyn Backend) -> Result<(), Failed> {
    let device = backend.device().name;
    let mut lines = Vec::new();
    let mut by_library = 0;
    for style in STYLES {
        for &size in ModelSize::ALL {
            let file = root().join(format!("styles/{style}/{size}.safetensors"));
            let network = Checkpoint::read(&file)?.network;
            for mode in backend.modes() {
                for (width, height, batch) in RUNS {
                    let spec = SessionSpec { batch, ..SessionSpec::single(width, height, mode) };
                    let mut session = backend.open(&Arc::clone(&network), &spec)?;
                    let conv_provider = session.summary().conv_provider;
                    if conv_provider.as_ref().is_some_and(ConvProvider::is_library) {
                        by_library += 1;
                        continue;
                    }
                    let photos: Vec<Frame> =
                        (0..batch as u32).map(|seed| waves(width, height, seed)).collect();
                    let mut painted = photos.clone();
                    session.paint_all(&photos, &mut painted, &RunControl::default())?;
                    let mut hash = Sha256::new();
                    for picture in &painted {
                        hash.update(picture.rgba());
                    }
                    let digest: String =
                        hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
                    let what = format!("{style} {size} {mode} {width}x{height} batch {batch}");
                    lines.push(format!("{device} {what}: {digest}"));
                }
            }
        }
    }
    println!("{} pictures; {by_library} by a library are left out", lines.len());
    if let Some(to) = std::env::var_os("STYLEFORGE_PIN") {
        return Ok(fs::write(to, lines.join("\n") + "\n")?);
    }
    let packed = fs::File::open(root().join("tests/pinned/gpu.txt.xz"))?;
    let mut pinned = String::new();
    XzReader::new(packed, false).read_to_string(&mut pinned)?;
    let of_device = |line: &&str| line.starts_with(&format!("{device} "));
    let pinned: Vec<&str> = pinned.lines().filter(of_device).collect();
    if pinned.is_empty() {
        return Err(format!("nothing is pinned for {device}").into());
    }
    let differing: Vec<&String> =
        lines.iter().filter(|line| !pinned.contains(&line.as_str())).collect();
    match differing.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} pictures differ, first {first}", differing.len()).into()),
    }
}
