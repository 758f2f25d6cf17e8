//! The photo or maps of a run.

use values::{frame::Frame, tensor::Tensor};

#[derive(Clone, Copy)]
pub struct RunInput<'a> {
    /// The photo's RGBA, extended to the plan's size; empty if maps are passed in.
    pub photo: &'a [u8],
    /// The maps that are passed in; empty if the input is a photo.
    pub maps: &'a [Tensor],
}

impl<'a> RunInput<'a> {
    pub fn photo(photo: &'a Frame) -> Self {
        Self { photo: photo.rgba(), maps: &[] }
    }
}
