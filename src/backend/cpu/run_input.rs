//! The photo or maps of a run.

use crate::{frame::Frame, tensor::Tensor};

/// What a run reads.
#[derive(Clone, Copy)]
pub struct RunInput<'a> {
    /// The photo's RGBA, of the size to which it is extended; nothing where maps are handed in.
    pub photo: &'a [u8],
    /// The maps that are handed in.
    pub maps: &'a [Tensor],
}

impl<'a> RunInput<'a> {
    /// A photo alone.
    pub fn photo(photo: &'a Frame) -> Self {
        Self { photo: photo.rgba(), maps: &[] }
    }
}
