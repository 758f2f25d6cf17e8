use std::sync::LazyLock;

use super::{counting::peak_of, is_short, within_memory};
use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
};
use weights::{Checkpoint, PixelChoice, PixelRange};

/// Maximum multiply-adds and predicted bytes of a network that paints; larger ones are only planned.
const MAX_RUN: u64 = 1 << 25;
const MAX_BYTES: u64 = 256 << 20;
/// Memory in bytes that is not predicted: threads, and lists of steps.
const UNPREDICTED_BYTES: u64 = 4 << 20;
/// Columns and rows of the photo, if the network runs at any size.
const SIZE: [usize; 2] = [29, 22];

/// Reads an ONNX file as a network and paints a small photo on the CPU. Returns whether it painted. Both need no more
/// memory than was predicted.
pub fn painting(bytes: &[u8]) -> bool {
    static BACKEND: LazyLock<CpuBackend> = LazyLock::new(|| match CpuBackend::new(Some(1)) {
        Ok(backend) => backend,
        Err(error) => panic!("no threads: {error}"),
    });
    let range = Some(PixelRange::Bytes);
    let levels = PixelChoice { input: range, output: range, order: None };
    let read = within_memory(bytes.len(), || Checkpoint::from_bytes_as(bytes, levels));
    let network = match read {
        Ok(checkpoint) => checkpoint.network,
        Err(error) => {
            is_short(&error.to_string());
            return false;
        }
    };
    let graph = network.graph();
    let [height, width] = graph.fixed_size().unwrap_or([SIZE[1], SIZE[0]]);
    let Ok((_, shapes)) = graph.for_photo(height, width) else {
        return false;
    };
    let photo =
        Frame::from_fn(width, height, |x, y| [(x * 9) as u8, (y * 11) as u8, (x * y) as u8, 255]);
    let is_large = graph.multiply_adds(&shapes) > MAX_RUN;
    let mut is_painted = false;
    for variant in [Variant::Fused, Variant::Baseline] {
        let spec = SessionSpec::single(width, height, Mode::new(variant, Precision::Fp32));
        let Ok(predicted) = BACKEND.predicted_bytes(graph, &spec) else {
            continue;
        };
        if is_large || predicted > MAX_BYTES {
            continue;
        }
        let (painted, peak_bytes) = peak_of(|| {
            let mut session = BACKEND.open(&network, &spec)?;
            session.paint(&photo, &mut photo.clone(), &RunControl::default()).map(drop)
        });
        match painted {
            Ok(()) => is_painted = true,
            Err(error) => is_short(&error.to_string()),
        }
        assert!(
            peak_bytes <= predicted + UNPREDICTED_BYTES,
            "painting took {peak_bytes} bytes, {predicted} were predicted"
        );
    }
    is_painted
}
