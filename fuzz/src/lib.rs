//! What the fuzz targets do with an input. It panics if the input shows an error of the program.
//!
//! A program in `fuzz_targets` calls one function with libFuzzer's inputs. The suite includes this file and calls each
//! with the inputs of the committed corpus (`crates/engine/tests/readers/corpus.rs`).

#[path = "../../tests/support/counting.rs"]
pub mod counting;
mod graphs;
mod inspect;
mod mjpeg;
mod nut;
#[path = "../../tests/support/onnx_files/mod.rs"]
pub mod onnx_files;
mod painting;
mod parts;
mod picture;
mod pixels;
mod pth;
mod settings;

use counting::peak_of;
use weights::Checkpoint;

pub use self::{
    graphs::graphs, inspect::inspect, mjpeg::mjpeg, nut::nut, painting::painting, parts::parts,
    picture::picture, pixels::pixels, pth::pth, settings::settings,
};

/// Maximum bytes of a message that is shown to the user.
const MAX_MESSAGE_BYTES: usize = 2048;
/// Memory in bytes that reading any checkpoint may take, even a tiny one.
const BASE_BYTES: u64 = 64 << 20;
/// Additional memory for each byte of the file.
const BYTES_PER_BYTE: u64 = 8;

/// Runs `work` on a file of this size and checks that its memory stays within the limit for checkpoints, which depends
/// on the file's size.
fn within_memory<T>(file_bytes: usize, work: impl FnOnce() -> T) -> T {
    let (given, peak_bytes) = peak_of(work);
    assert!(
        peak_bytes <= BASE_BYTES + BYTES_PER_BYTE * file_bytes as u64,
        "a file of {file_bytes} bytes took {peak_bytes} bytes of memory"
    );
    given
}

/// A message to the user must have a limited length.
fn is_short(message: &str) {
    assert!(
        message.len() <= MAX_MESSAGE_BYTES,
        "a message of {} bytes: {}",
        message.len(),
        message.chars().take(300).collect::<String>()
    );
}

/// Reads a file's bytes as a checkpoint, whose format is detected by the first bytes. A checkpoint that is accepted must
/// be finite and survive being saved. One that is refused must have a short message. In both cases memory is limited by
/// the file's size.
pub fn checkpoint(bytes: &[u8]) {
    match within_memory(bytes.len(), || Checkpoint::from_bytes(bytes)) {
        Err(error) => is_short(&error.to_string()),
        Ok(checkpoint) => {
            for (node, _) in checkpoint.network.graph().weight_shapes() {
                let own = checkpoint.network.weights().of(&node.name);
                let mut values = own.weight.iter().chain(&own.bias);
                assert!(values.all(|v| v.is_finite()));
            }
            let saved = match checkpoint.to_safetensors() {
                Ok(saved) => saved,
                Err(error) => panic!("it was read and cannot be saved: {error}"),
            };
            match Checkpoint::from_bytes(&saved) {
                Ok(again) => assert_eq!(again.network, checkpoint.network),
                Err(error) => panic!("it was saved and cannot be read: {error}"),
            }
        }
    }
}
