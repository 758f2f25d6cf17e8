//! Why a file of weights was not read.

use std::{io, path::PathBuf};

use crate::network::NetworkError;

use super::Family;

/// Largest checkpoint that is read, in bytes. The published networks have 7 MB; the widest that
/// this program runs would have 10 times as much as this only with kernels nobody uses.
pub const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// Why a file of weights was not read. Messages say what was found and, where there is one, the
/// way out.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file could not be read from the disk.
    #[error("{} could not be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is larger than any network that this program runs.
    #[error("the file has {size_bytes} bytes; checkpoints up to {limit_bytes} bytes are read")]
    TooLarge {
        /// The file's size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// None of the known formats.
    #[error(
        "this is not a checkpoint: {found}; StyleForge reads safetensors, PyTorch (.pth) and ONNX files"
    )]
    UnknownFormat {
        /// What the file starts with, in words.
        found: String,
    },
    /// A safetensors file that breaks its own rules.
    #[error("broken safetensors file: {0}")]
    Safetensors(String),
    /// A PyTorch archive that breaks its own rules or asks for more than stored entries.
    #[error("broken or unsafe PyTorch file: {0}")]
    Archive(String),
    /// A pickle that breaks its own rules or asks for something that no state dict needs.
    #[error("refused pickle at byte {offset}: {problem}; nothing was executed")]
    Pickle {
        /// Where in the pickle, in bytes.
        offset: usize,
        /// What was found.
        problem: String,
    },
    /// A PyTorch file without a dict of tensors.
    #[error("this PyTorch file holds no state dict: {0}")]
    StateDict(String),
    /// An ONNX file that cannot be decoded.
    #[error("broken ONNX file: {0}")]
    Onnx(String),
    /// An ONNX graph that is not this network.
    #[error("this ONNX graph is not the style network: {0}")]
    Graph(String),
    /// A known family that this program does not run.
    #[error("this is a checkpoint of the {family} family, which StyleForge does not run: {reason}")]
    Foreign {
        /// Which.
        family: Family,
        /// Why it cannot be run, or what to do.
        reason: String,
    },
    /// The keys do not fit the network.
    #[error(
        "the checkpoint does not fit the style network: {}",
        keys_in_words(missing, unexpected)
    )]
    Keys {
        /// Keys that the network needs, by their published names.
        missing: Vec<String>,
        /// Keys of the file that the network has no place for.
        unexpected: Vec<String>,
    },
    /// A residual block is left out between others.
    #[error("the residual block res{missing} is missing, though res{present} is there")]
    BlockGap {
        /// Number of the first missing block, from 1.
        missing: usize,
        /// Number of the last block in the file.
        present: usize,
    },
    /// The same weight twice.
    #[error("the checkpoint holds {}", twice_in_words(first, second))]
    DuplicateKey {
        /// One spelling.
        first: String,
        /// The other (or the same) spelling.
        second: String,
    },
    /// A weight of another shape than its neighbours ask for.
    #[error("{key} has shape {got:?}, the network needs {needed}")]
    Shape {
        /// The key in the file.
        key: String,
        /// Its shape.
        got: Vec<usize>,
        /// The shape that fits, in words.
        needed: String,
    },
    /// One tensor that cannot be used.
    #[error("{key} {problem}")]
    Tensor {
        /// The key in the file.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A weight that is not a finite number.
    #[error("{key} holds {value} at position {position}; weights must be finite numbers")]
    NotFinite {
        /// The key in the file.
        key: String,
        /// `NaN`, `inf` or `-inf`.
        value: f32,
        /// Index into the tensor in row-major order.
        position: usize,
    },
    /// Tensors that share their bytes so often that the file would grow in memory.
    #[error(
        "the weights take {total_bytes} bytes but the file has only {file_bytes}; its tensors overlap"
    )]
    Overlap {
        /// Bytes that the tensors say they have.
        total_bytes: usize,
        /// Bytes of the file.
        file_bytes: u64,
    },
    /// Reading the file would take more than a file of its size may take.
    #[error(
        "reading it takes more than {limit} {what}, too much for a file of {file_bytes} bytes; \
         it is damaged or made to harm"
    )]
    TooCostly {
        /// What there would be too much of: steps or bytes of memory.
        what: &'static str,
        /// How many of them a file of this size may take.
        limit: u64,
        /// Bytes of the file.
        file_bytes: u64,
    },
    /// Sizes that this program does not run.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

fn twice_in_words(first: &str, second: &str) -> String {
    if first == second {
        format!("{first} twice")
    } else {
        format!("{first} and {second}, which are the same weight")
    }
}

/// Keys named in a message before the rest is only counted.
const NAMED_KEYS: usize = 8;
/// Characters of one key in a message.
const NAMED_CHARS: usize = 120;

fn keys_in_words(missing: &[String], unexpected: &[String]) -> String {
    let list = |what: &str, keys: &[String]| {
        if keys.is_empty() {
            return None;
        }
        let named: Vec<String> = keys.iter().take(NAMED_KEYS).map(|k| shortened(k)).collect();
        let rest = match keys.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("{what} {}{rest}", named.join(", ")))
    };
    let parts: Vec<String> = [list("missing", missing), list("unexpected", unexpected)]
        .into_iter()
        .flatten()
        .collect();
    parts.join("; ")
}

/// Text from a file made fit for a message: cut when long, without control characters.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(NAMED_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let keys: Vec<String> = (0..30).map(|i| format!("k{i}")).collect();
        let words = keys_in_words(&keys, &[]);
        assert!(words.ends_with("k7 and 22 more"), "{words}");
        let words = keys_in_words(&keys[..1], &["x".repeat(500)]);
        assert!(words.starts_with("missing k0; unexpected xxx"), "{words}");
        assert!(words.chars().count() < 200, "{words}");
    }
}
