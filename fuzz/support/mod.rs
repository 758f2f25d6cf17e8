//! What several targets judge by.

#![allow(dead_code, reason = "every target uses a part of it")]

#[path = "../../tests/support/counting.rs"]
mod counting;

pub use counting::peak_of;
use styleforge::weights::{Checkpoint, WeightsError};

/// Most bytes of a message that a person is shown.
const MAX_MESSAGE_BYTES: usize = 2048;
/// Memory that reading any checkpoint may take, however small.
const BASE_BYTES: u64 = 64 << 20;
/// Further memory for each byte of the file.
const BYTES_PER_BYTE: u64 = 8;

/// Does `work` on a file of this size and holds it to the rule of checkpoints: memory follows from
/// the file's size.
pub fn within_memory<T>(file_bytes: usize, work: impl FnOnce() -> T) -> T {
    let (given, peak_bytes) = peak_of(work);
    assert!(
        peak_bytes <= BASE_BYTES + BYTES_PER_BYTE * file_bytes as u64,
        "a file of {file_bytes} bytes took {peak_bytes} bytes of memory"
    );
    given
}

/// A message that people read has to have an end.
pub fn is_short(message: &str) {
    assert!(
        message.len() <= MAX_MESSAGE_BYTES,
        "a message of {} bytes: {}",
        message.len(),
        message.chars().take(300).collect::<String>()
    );
}

/// Reads a file's bytes as a checkpoint: what is read is finite and survives being saved, what is
/// refused is refused in a few words, and either way memory follows from the file's size.
pub fn reads(bytes: &[u8], read: impl Fn(&[u8]) -> Result<Checkpoint, WeightsError>) {
    match within_memory(bytes.len(), || read(bytes)) {
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
