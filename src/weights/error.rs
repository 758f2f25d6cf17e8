//! Why a weights file was not read.

use std::{fmt, io, path::PathBuf};

use crate::{disk::words, models::Misfit, network::NetworkError, text::is_unseen};

use super::{Family, PixelChoice};

/// Maximum size of a checkpoint. The published networks have 7 MB; the largest network that takes style pictures has
/// 690 MB in fp32.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// Why a weights file was not read. Messages say what was found and, if possible, what to do.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    Read {
        path: PathBuf,
        source: io::Error,
    },
    /// The file is larger than any network that this program runs.
    TooLarge {
        size_bytes: u64,
        limit_bytes: u64,
    },
    UnknownFormat {
        /// What the file starts with, as text.
        found: String,
    },
    /// A safetensors file that violates the format.
    Safetensors(String),
    /// A PyTorch archive that violates the format or uses more than stored (uncompressed) entries.
    Archive(String),
    /// A pickle that violates the format or uses something that no state dict needs.
    Pickle {
        /// Position in the pickle, in bytes.
        offset: usize,
        problem: String,
    },
    /// A PyTorch file without a dict of tensors.
    StateDict(String),
    /// An ONNX file that cannot be decoded.
    Onnx(String),
    /// An ONNX graph that this program cannot run.
    Graph(String),
    /// The values that stand for black and white are unknown.
    PixelValues {
        /// What the file or the user says.
        known: PixelChoice,
    },
    /// A known family that this program does not run.
    Foreign(Family),
    /// A network that takes a style picture, but a style is expected.
    StyleNetwork,
    /// The keys do not fit the network.
    Keys {
        /// By their published names.
        missing: KeyList,
        /// Keys of the file that are not part of the network.
        unexpected: KeyList,
    },
    /// The file contains the same weight twice.
    DuplicateKey {
        first: String,
        /// The other spelling, or the same one.
        second: String,
    },
    /// A checkpoint with several sets of weights, none of which is the only average. Contains their places.
    SeveralSets(KeyList),
    /// A weight whose shape does not match its neighbours.
    Shape {
        /// The key in the file.
        key: String,
        got: Vec<usize>,
        /// The shape that fits, as text.
        needed: String,
    },
    /// One tensor that cannot be used.
    Tensor {
        /// The key in the file.
        key: String,
        problem: String,
    },
    /// A weight that is not a finite number.
    NotFinite {
        /// The key in the file.
        key: String,
        /// `NaN`, `inf` or `-inf`.
        value: f32,
        /// Index into the tensor in row-major order.
        position: usize,
    },
    /// Tensors share so many bytes that the file would grow in memory.
    Overlap {
        /// Sum of the tensors' sizes.
        total_bytes: usize,
        file_bytes: u64,
    },
    /// Reading would exceed the limit for a file of this size.
    TooCostly {
        /// What the limit counts: steps or bytes of memory.
        what: &'static str,
        limit: u64,
        file_bytes: u64,
    },
    /// The system has no memory for the file's contents.
    Memory {
        needed_bytes: u64,
    },
    /// Weights that fit no model.
    Misfit(#[from] Misfit),
    /// Sizes that this program does not run.
    Network(#[from] NetworkError),
}

/// The result of reading a weights file.
pub type Result<T, E = WeightsError> = std::result::Result<T, E>;

impl WeightsError {
    /// The error for a tensor that cannot be used.
    pub(super) fn tensor(key: &str, problem: impl Into<String>) -> Self {
        Self::Tensor { key: shortened(key), problem: problem.into() }
    }

    /// Writes the whole message, however long.
    fn write(&self, f: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Read { path, source } => {
                write!(f, "{} could not be read: {}", path.display(), words(source))
            }
            Self::TooLarge {
                size_bytes,
                limit_bytes,
            } => write!(
                f,
                "the file has {size_bytes} bytes; the maximum for a checkpoint is {limit_bytes} bytes"
            ),
            Self::UnknownFormat { found } => write!(
                f,
                "this is not a checkpoint: {found}; StyleForge reads safetensors, PyTorch (.pth) \
                 and ONNX files"
            ),
            Self::Safetensors(problem) => write!(f, "broken safetensors file: {problem}"),
            Self::Archive(problem) => write!(f, "broken or unsafe PyTorch file: {problem}"),
            Self::Pickle { offset, problem } => write!(
                f,
                "refused pickle at byte {offset}: {problem}; nothing was executed"
            ),
            Self::StateDict(problem) => {
                write!(f, "this PyTorch file contains no state dict: {problem}")
            }
            Self::Onnx(problem) => write!(f, "broken ONNX file: {problem}"),
            Self::Graph(problem) => {
                write!(f, "this graph cannot be run: {problem}")
            }
            Self::PixelValues { known } => write!(
                f,
                "the file does not say which values are black and white in the picture that its network {}; set them with --input-range RANGE --output-range RANGE of styles import or stylize, \
                 where RANGE is 0..255, 0..1, -1..1, imagenet or caffe",
                known.missing().unwrap_or("reads and makes")
            ),
            Self::Foreign(family) => write!(
                f,
                "this is a checkpoint of the {family} family, which is not supported: {}",
                family.refusal()
            ),
            Self::StyleNetwork => f.write_str(
                "this is a network for style pictures, not a style: import it with styleforge styles import FILE --name NAME, then use --style-picture PICTURE --style-network NAME",
            ),
            Self::Keys {
                missing,
                unexpected,
            } => {
                let parts = [("missing", missing), ("unexpected", unexpected)];
                let parts = parts.iter().filter(|(_, keys)| !keys.is_empty());
                let parts: Vec<String> =
                    parts.map(|(what, keys)| format!("{what} {keys}")).collect();
                let parts = parts.join("; ");
                write!(f, "the checkpoint does not fit the style network: {parts}")
            }
            Self::DuplicateKey { first, second } if first == second => {
                write!(f, "the checkpoint contains {first} twice")
            }
            Self::DuplicateKey { first, second } => write!(
                f,
                "the checkpoint contains {first} and {second}, which are the same weight"
            ),
            Self::SeveralSets(places) => write!(
                f,
                "the checkpoint contains several sets of weights: {places}; keep one of them and save it again"
            ),
            Self::Shape { key, got, needed } => {
                write!(f, "{key} has shape {got:?}; the network needs {needed}")
            }
            Self::Tensor { key, problem } => write!(f, "{key} {problem}"),
            Self::NotFinite {
                key,
                value,
                position,
            } => write!(
                f,
                "{key} contains {value} at position {position}; weights must be finite"
            ),
            Self::Overlap {
                total_bytes,
                file_bytes,
            } => write!(
                f,
                "the weights take {total_bytes} bytes but the file has only {file_bytes}; its \
                 tensors overlap"
            ),
            Self::TooCostly {
                what,
                limit,
                file_bytes,
            } => write!(
                f,
                "reading it takes more than {limit} {what}, too much for a file of {file_bytes} bytes; it is damaged or malicious"
            ),
            Self::Memory { needed_bytes } => write!(
                f,
                "reading it needs {} MB of memory at once, which the system does not have; close other programs",
                needed_bytes.div_ceil(1_000_000)
            ),
            Self::Misfit(misfit) => write!(f, "{misfit}"),
            Self::Network(error) => write!(f, "{error}"),
        }
    }
}

/// Maximum length of a message. Most messages contain text from a file; this limit keeps all of them short.
pub const MAX_MESSAGE_BYTES: usize = 2000;

impl fmt::Display for WeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut message = Shortening { to: f, left_bytes: MAX_MESSAGE_BYTES, is_cut: false };
        match self.write(&mut message) {
            Err(_) if message.is_cut => Ok(()),
            result => result,
        }
    }
}

/// Passes text on until the message has reached its maximum length.
struct Shortening<'f, 'b> {
    to: &'f mut fmt::Formatter<'b>,
    left_bytes: usize,
    is_cut: bool,
}

impl fmt::Write for Shortening<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const CUT: &str = "…";
        if text.len() + CUT.len() <= self.left_bytes {
            self.left_bytes -= text.len();
            return self.to.write_str(text);
        }
        let whole = text.floor_char_boundary(self.left_bytes.saturating_sub(CUT.len()));
        self.is_cut = true;
        self.left_bytes = 0;
        self.to.write_str(&text[..whole])?;
        self.to.write_str(CUT)?;
        // Stops a list from writing more.
        Err(fmt::Error)
    }
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
        for error in [
            WeightsError::Safetensors(long()),
            WeightsError::Tensor { key: long(), problem: long() },
            WeightsError::Shape {
                key: "key".to_owned(),
                got: vec![usize::MAX; 100_000],
                needed: long(),
            },
            WeightsError::Read { path: long().into(), source: io::Error::other("gone") },
        ] {
            let message = error.to_string();
            assert!(message.len() <= MAX_MESSAGE_BYTES, "{} bytes", message.len());
            assert!(message.len() > MAX_MESSAGE_BYTES - 30, "{} bytes", message.len());
            assert!(message.ends_with('…'), "{message}");
        }
        let short =
            WeightsError::Tensor { key: "key".to_owned(), problem: "is not a tensor".to_owned() };
        assert_eq!(short.to_string(), "key is not a tensor");
    }
}
