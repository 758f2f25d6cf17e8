//! Why a weights file was not read.

use std::{fmt, io, path::PathBuf};

use network::{NetworkError, models::Misfit};
use values::{disk::words, text::is_unseen};

use super::{Family, PixelChoice};

/// Maximum size of a checkpoint. The published networks have 7 MB; the largest network that takes style pictures has
/// 690 MB in fp32.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// Why a weights file was not read. Messages say what was found and, if possible, what to do.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("{} could not be read: {}", limited(path.display()), words(source))]
    Read { path: PathBuf, source: io::Error },
    /// The file is larger than any network that this program runs.
    #[error("the file has {size_bytes} bytes; the maximum for a checkpoint is {limit_bytes} bytes")]
    TooLarge { size_bytes: u64, limit_bytes: u64 },
    #[error(
        "this is not a checkpoint: {}; StyleForge reads safetensors, PyTorch (.pth) and ONNX files",
        limited(found)
    )]
    UnknownFormat {
        /// What the file starts with, as text.
        found: String,
    },
    /// A safetensors file that violates the format.
    #[error("broken safetensors file: {}", limited(.0))]
    Safetensors(String),
    /// A PyTorch archive that violates the format or uses more than stored (uncompressed) entries.
    #[error("broken or unsafe PyTorch file: {}", limited(.0))]
    Archive(String),
    /// A pickle that violates the format or uses something that no state dict needs.
    #[error("refused pickle at byte {offset}: {}; nothing was executed", limited(problem))]
    Pickle {
        /// Position in the pickle, in bytes.
        offset: usize,
        problem: String,
    },
    /// A PyTorch file without a dict of tensors.
    #[error("this PyTorch file contains no state dict: {}", limited(.0))]
    StateDict(String),
    /// An ONNX file that cannot be decoded.
    #[error("broken ONNX file: {}", limited(.0))]
    Onnx(String),
    /// An ONNX graph that this program cannot run.
    #[error("this graph cannot be run: {}", limited(.0))]
    Graph(String),
    /// The values that stand for black and white are unknown.
    #[error(
        "the file does not say which values are black and white in the picture that its network {}; set them with --input-range RANGE --output-range RANGE of styles import or stylize, \
         where RANGE is 0..255, 0..1, -1..1, imagenet or caffe",
        known.missing().unwrap_or("reads and makes")
    )]
    PixelValues {
        /// What the file or the user says.
        known: PixelChoice,
    },
    /// A known family that this program does not run.
    #[error(
        "this is a checkpoint of the {0} family, which is not supported: {reason}",
        reason = .0.refusal()
    )]
    Foreign(Family),
    /// A network that takes a style picture, but a style is expected.
    #[error(
        "this is a network for style pictures, not a style: import it with styleforge styles import FILE --name NAME, then use --style-picture PICTURE --style-network NAME"
    )]
    StyleNetwork,
    /// The keys do not fit the network.
    #[error(
        "the checkpoint does not fit the style network: {}",
        [missing.named("missing"), unexpected.named("unexpected")].concat().join("; ")
    )]
    Keys {
        /// By their published names.
        missing: KeyList,
        /// Keys of the file that are not part of the network.
        unexpected: KeyList,
    },
    /// The file contains the same weight twice.
    #[error(
        "the checkpoint contains {first}{}",
        if first == second { " twice".into() } else { format!(" and {second}, which are the same weight") }
    )]
    DuplicateKey {
        first: String,
        /// The other spelling, or the same one.
        second: String,
    },
    /// A checkpoint with several sets of weights, none of which is the only average. Contains their places.
    #[error(
        "the checkpoint contains several sets of weights: {}; keep one of them and save it again",
        limited(.0)
    )]
    SeveralSets(KeyList),
    /// A weight whose shape does not match its neighbours.
    #[error("{key} has shape {}; the network needs {needed}", limited(format_args!("{got:?}")))]
    Shape {
        /// The key in the file.
        key: String,
        got: Vec<usize>,
        /// The shape that fits, as text.
        needed: String,
    },
    /// One tensor that cannot be used.
    #[error("{key} {}", limited(problem))]
    Tensor {
        /// The key in the file.
        key: String,
        problem: String,
    },
    /// A weight that is not a finite number.
    #[error("{key} contains {value} at position {position}; weights must be finite")]
    NotFinite {
        /// The key in the file.
        key: String,
        /// `NaN`, `inf` or `-inf`.
        value: f32,
        /// Index into the tensor in row-major order.
        position: usize,
    },
    /// Tensors share bytes, and would take more memory than the file.
    #[error(
        "the weights take {total_bytes} bytes but the file has only {file_bytes}; its tensors overlap"
    )]
    Overlap {
        /// Sum of the tensors' sizes.
        total_bytes: usize,
        file_bytes: u64,
    },
    /// Reading would exceed the limit for a file of this size.
    #[error(
        "reading it takes more than {limit} {what}, too much for a file of {file_bytes} bytes; it is damaged or malicious"
    )]
    TooCostly {
        /// What the limit counts: steps or bytes of memory.
        what: &'static str,
        limit: u64,
        file_bytes: u64,
    },
    /// The system has no memory for the file's contents.
    #[error(
        "reading it needs {} MB of memory at once, which the system does not have; close other programs",
        needed_bytes.div_ceil(1_000_000)
    )]
    Memory { needed_bytes: u64 },
    /// Weights that fit no model.
    #[error("{}", limited(.0))]
    Misfit(#[from] Misfit),
    /// Sizes that this program does not run.
    #[error("{}", limited(.0))]
    Network(#[from] NetworkError),
}

/// The result of reading a weights file.
pub type Result<T, E = WeightsError> = std::result::Result<T, E>;

impl WeightsError {
    /// The error for a tensor that cannot be used.
    pub(super) fn tensor(key: &str, problem: impl Into<String>) -> Self {
        Self::Tensor { key: shortened(key), problem: problem.into() }
    }
}

/// Maximum length of a message. Most messages contain text from a file; keys are shortened, other parts limited.
pub const MAX_MESSAGE_BYTES: usize = 2000;
/// Maximum length of a part; a message has at most two of them.
const MAX_PART_BYTES: usize = 800;

/// A part of a message, cut when long.
fn limited(part: impl fmt::Display) -> String {
    let mut text = part.to_string();
    if text.len() > MAX_PART_BYTES {
        text.truncate(text.floor_char_boundary(MAX_PART_BYTES));
        text.push('…');
    }
    text
}

impl From<WeightsError> for String {
    /// The message, for use inside another error.
    fn from(error: WeightsError) -> Self {
        error.to_string()
    }
}

/// Maximum number of keys named in a message. The rest are only counted.
const NAMED_KEYS: usize = 8;
/// Maximum number of characters of one key in a message.
const NAMED_CHARS: usize = 120;

/// Keys for a message: the first ones by name, the rest only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyList {
    named: Vec<String>,
    count: usize,
}

impl KeyList {
    pub(super) fn add(&mut self, key: &str) {
        if self.named.len() < NAMED_KEYS {
            self.named.push(shortened(key));
        }
        self.count += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The keys after the word for what they are; nothing if there are none.
    fn named(&self, what: &str) -> Vec<String> {
        if self.is_empty() { Vec::new() } else { vec![limited(format_args!("{what} {self}"))] }
    }
}

impl<'k> FromIterator<&'k str> for KeyList {
    fn from_iter<I: IntoIterator<Item = &'k str>>(keys: I) -> Self {
        let mut list = Self::default();
        keys.into_iter().for_each(|key| list.add(key));
        list
    }
}

impl fmt::Display for KeyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named.join(", "))?;
        match self.count - self.named.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Text from a file, made safe for a message: cut when long, without control characters.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(NAMED_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.chars().map(|c| if is_unseen(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let keys: Vec<String> = (0..30).map(|i| format!("k{i}")).collect();
        let error = WeightsError::Keys {
            missing: keys.iter().map(String::as_str).collect(),
            unexpected: KeyList::default(),
        };
        let words = error.to_string();
        assert!(words.ends_with(": missing k0, k1, k2, k3, k4, k5, k6, k7 and 22 more"), "{words}");
        let error = WeightsError::Keys {
            missing: ["k0"].into_iter().collect(),
            unexpected: ["x".repeat(500).as_str()].into_iter().collect(),
        };
        let words = error.to_string();
        assert!(words.contains("missing k0; unexpected xxx"), "{words}");
        assert!(words.chars().count() < 250, "{words}");
    }

    #[test]
    fn no_message_is_long() {
        let long = || "ä".repeat(100_000);
        let keys = |count: usize| -> KeyList {
            (0..count)
                .map(|_| "ö".repeat(NAMED_CHARS))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect()
        };
        for error in [
            WeightsError::Safetensors(long()),
            WeightsError::tensor(&long(), long()),
            WeightsError::Shape {
                key: shortened(&long()),
                got: vec![usize::MAX; 100_000],
                needed: "[3]".to_owned(),
            },
            WeightsError::Read { path: long().into(), source: io::Error::other("gone") },
            WeightsError::Keys { missing: keys(20), unexpected: keys(20) },
        ] {
            let message = error.to_string();
            assert!(message.len() <= MAX_MESSAGE_BYTES, "{} bytes", message.len());
            assert!(message.contains('…'), "{message}");
        }
        let short =
            WeightsError::Tensor { key: "key".to_owned(), problem: "is not a tensor".to_owned() };
        assert_eq!(short.to_string(), "key is not a tensor");
    }
}
