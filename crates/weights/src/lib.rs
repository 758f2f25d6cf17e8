//! Checkpoint files and the style library: the only parsers of untrusted weights.
//!
//! [`Checkpoint::read`] detects the format from the file's first bytes and calls the reader of that format. Each reader
//! produces named tensors or a network:
//!
//! - [`safetensors`] reads the tensors that the header lists.
//! - [`torch`] runs a pickle machine that can build nothing but tensors and plain values.
//! - [`onnx`] lowers the file's graph to a network. A model is then recognised in that network.
//!
//! Readers know no model. `fit` finds the [model](network::models) that the tensors belong to and requires an exact
//! fit. A network that takes a style picture is not a style on its own: it is read as a [`StyleNetwork`]. The style
//! that it makes from a picture is a checkpoint that names the network.
//!
//! Nothing in a file is executed and no path in a file is followed, except that an ONNX model may name a file with its
//! weights in its own folder. Memory and time are bounded by the file's size.
//!
//! It does not know devices and pictures. It may use `network` and `values`. Any thread may read.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

mod any_network;
mod any_picture;
mod budget;
mod choice;
mod code;
mod error;
mod family;
mod file_name;
mod fit;
mod folders;
mod import;
mod inspect;
mod library;
mod library_error;
mod names;
mod networks;
pub mod onnx;
mod pixels;
mod plain_file;
mod readings;
mod rename;
pub mod safetensors;
mod style;
pub mod style_network;
mod tensor;
pub mod torch;

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use network::Network;
use values::{allocation::can_allocate, named};

pub use any_picture::code_file;
pub use budget::{Budget, ReadCost};
pub use choice::Choice;
pub use code::{BUILT_IN_NETWORK, CodeOf, MadeBy};
pub use error::{KeyList, MAX_FILE_BYTES, MAX_MESSAGE_BYTES, Result, WeightsError};
pub use family::Family;
pub use file_name::bytes_in_hex;
pub use folders::{absolute, user_styles_folder};
pub use inspect::{Inspection, TensorFacts, Work, describe, describe_bytes, describe_within};
pub use library::StyleLibrary;
pub use library_error::LibraryError;
pub use names::{ALL_STYLES, NO_STYLE, id_from, title_from};
pub use networks::NetworkLibrary;
pub use pixels::{ChannelOrder, PixelChoice, PixelFormat, PixelRange, with_levels};
pub use readings::likely_formats;
pub use style::{Credit, Origin, Style};
pub use style_network::{StyleNetwork, StyleNetworkFacts};
pub use tensor::StorageType;

use error::shortened;
use fit::{ASSUMED, Fitted, TensorFile, assume, strip_prefix};
use names::stated;

/// A network read from a file, and what the file says about it.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub network: Arc<Network>,
    /// The family of the file's names or graph.
    pub family: Family,
    /// The widest number type among the weights.
    pub storage: StorageType,
    /// Free text of the file: title, credit, training settings.
    pub metadata: BTreeMap<String, String>,
    /// The assumed pixel format. Set if neither the file nor the caller names the channel order, so that RGB is
    /// assumed.
    pub guessed: Option<PixelFormat>,
    /// The style code, if the file holds only what a style network made from a style picture.
    pub code: Option<CodeOf>,
}

impl Checkpoint {
    fn new(fitted: Fitted, mut metadata: BTreeMap<String, String>) -> Self {
        for (key, fact) in fitted.facts {
            if key == ASSUMED {
                assume(&mut metadata, fact);
            } else {
                metadata.insert(key, fact);
            }
        }
        Self {
            network: Arc::new(fitted.network),
            family: fitted.family,
            storage: fitted.storage,
            metadata,
            guessed: None,
            code: fitted.code,
        }
    }

    /// Reads a checkpoint of any supported format and family.
    ///
    /// # Errors
    /// [`WeightsError`] when the file cannot be read, is broken, or is not this network.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_as(path, Choice::default())
    }

    /// As [`Checkpoint::read`]; `choice` supplies what the file does not say about the network.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn read_as(path: &Path, choice: impl Into<Choice>) -> Result<Self> {
        Self::from_bytes_as(&read_file(path)?, choice)
    }

    /// Reads a checkpoint from a file's bytes.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_as(bytes, Choice::default())
    }

    /// As [`Checkpoint::read_as`], from a file's bytes.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn from_bytes_as(bytes: &[u8], choice: impl Into<Choice>) -> Result<Self> {
        Self::read_within(bytes, &Budget::for_file(bytes.len()), choice.into())
    }

    /// As [`Checkpoint::from_bytes_as`], with the budget to charge. The caller can read the cost from it afterwards.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn read_within(bytes: &[u8], budget: &Budget, choice: Choice) -> Result<Self> {
        if format_of(bytes)? == Format::Onnx {
            return onnx::read_within(bytes, budget, choice);
        }
        let (tensors, mut metadata) = named_tensors(bytes, budget)?;
        let fitted = safetensors::fit_any(&tensors, &mut metadata, choice, budget)?;
        Ok(Self::new(fitted, metadata))
    }

    /// What was assumed because the file does not say it, as text that follows "assumed".
    pub fn assumed(&self) -> Option<String> {
        stated(&self.metadata, ASSUMED)
    }

    /// The checkpoint as a safetensors file with the published names and the metadata. Weights are written as fp16 if
    /// they were read as fp16, otherwise as fp32. A style picture is written as its code. The bytes are deterministic.
    ///
    /// # Errors
    /// [`WeightsError::Safetensors`] when the metadata cannot be written.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        if let Some(code) = &self.code {
            return any_picture::code_file(code, &self.metadata);
        }
        safetensors::write(&self.network, self.storage == StorageType::F16, &self.metadata)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Safetensors,
    Torch,
    Onnx,
}

named!(Format, "file format", Safetensors = "safetensors", Torch = "PyTorch", Onnx = "ONNX");

/// Detects the format from the file's first bytes; the file name does not count.
fn format_of(bytes: &[u8]) -> Result<Format> {
    let unknown = |found: &str| Err(WeightsError::UnknownFormat { found: found.to_owned() });
    // The length in a safetensors header may begin with the two bytes of a pickle, but no pickle continues with zeros.
    if matches!(bytes, [_, _, _, _, 0, 0, 0, 0, b'{', ..]) {
        return Ok(Format::Safetensors);
    }
    if torch::is_zip(bytes) || torch::is_pickle(bytes) {
        return Ok(Format::Torch);
    }
    // The first eight bytes are a length. The last of them are zero in any file within the size limit.
    if bytes.get(8) == Some(&b'{') {
        return Ok(Format::Safetensors);
    }
    match bytes {
        [] => unknown("the file is empty"),
        short if short.len() < 16 => unknown("the file is too short"),
        [b'<', ..] => unknown("it is a web page; download the file itself"),
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => unknown(
            "it is a picture, which can be a style of its own: styleforge stylize --style-picture FILE",
        ),
        // Torch7 starts with the type number of a table or a torch object, then a small index.
        [3 | 4, 0, 0, 0, _, _, 0, 0, ..] | [b'4', b'\n', ..] => {
            Err(WeightsError::Foreign(Family::Torch7))
        }
        // The keys of fields 1 (a number), 2, 7 and 8 of an ONNX model.
        [0x08 | 0x12 | 0x3a | 0x42, ..] => Ok(Format::Onnx),
        _ if bytes.starts_with(b"version https://git-lfs") => {
            unknown("it is a Git LFS pointer; fetch the file itself with git lfs pull")
        }
        _ if bytes.get(257..262) == Some(b"ustar") => {
            unknown("it is a tar archive from PyTorch before 0.1.10")
        }
        _ => unknown("its first bytes match no supported format"),
    }
}

/// Names, tensors and texts of a safetensors or PyTorch file, without a prefix that all names share.
fn named_tensors<'a>(bytes: &'a [u8], budget: &Budget) -> Result<TensorFile<'a>> {
    let (mut tensors, mut metadata) = match format_of(bytes)? {
        Format::Safetensors => safetensors::parse(bytes, budget)?,
        _ => torch::parse(bytes, budget)?,
    };
    if let Some(prefix) = strip_prefix(&mut tensors, budget)? {
        assume(
            &mut metadata,
            format!("that the prefix '{}' of every key can be ignored", shortened(&prefix)),
        );
    }
    Ok((tensors, metadata))
}

/// Number of bytes that [`format_of`] needs.
const FIRST_BYTES: u64 = 512;

/// The bytes of a file. Refuses it before reading if it is too large, not a plain file or of an unknown format.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| WeightsError::Read { path: path.to_owned(), source };
    let (file, size_bytes) = plain_file::open(path).map_err(failed)?;
    if size_bytes > MAX_FILE_BYTES {
        return Err(WeightsError::TooLarge { size_bytes, limit_bytes: MAX_FILE_BYTES });
    }
    let mut bytes = Vec::new();
    (&file).take(FIRST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    match format_of(&bytes)? {
        Format::Safetensors => {
            safetensors::header_length(&bytes, size_bytes)?;
        }
        Format::Torch if torch::is_zip(&bytes) => {
            torch::check_end(file.try_clone().map_err(failed)?)?;
            (&file).seek(SeekFrom::Start(bytes.len() as u64)).map_err(failed)?;
        }
        Format::Torch | Format::Onnx => {}
    }
    // Reserve exactly the file's size; a growing vector may take twice as much.
    let room = usize::try_from(size_bytes).unwrap_or(usize::MAX).saturating_sub(bytes.len());
    if bytes.try_reserve_exact(room).is_err() || !can_allocate(0) {
        return Err(WeightsError::Memory { needed_bytes: size_bytes });
    }
    (&file).take(MAX_FILE_BYTES - bytes.len() as u64).read_to_end(&mut bytes).map_err(failed)?;
    if format_of(&bytes)? == Format::Onnx {
        onnx::add_external_files(path, &mut bytes)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_looks_like_a_pickle_is_a_length() {
        let format = |start: &[u8]| format_of(&[start, &[b' '; 32]].concat());
        for protocol in 2..=5 {
            let header = [0x80, protocol, 0, 0, 0, 0, 0, 0, b'{'];
            assert_eq!(format(&header).ok(), Some(Format::Safetensors));
            assert_eq!(format(&[0x80, protocol, b'}']).ok(), Some(Format::Torch));
            // A short frame: the length after 0x95 takes eight bytes.
            let framed = [0x80, protocol, 0x95, 9, 0, 0, 0, 0, 0, 0, 0, b'}'];
            assert_eq!(format(&framed).ok(), Some(Format::Torch));
        }
    }
}
