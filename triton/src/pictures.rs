//! Pictures in tensors: pixels of three or four channels, or files.

use std::{borrow::Cow, sync::Arc};

use pictures::{
    decode::{self, MAX_PIXELS, MAX_SIDE_PX, Photo},
    encode::{self, Attached, Encoding, Format},
};
use values::frame::Frame;

use crate::{
    api::{DataType, Failure, Input, Outcome, invalid},
    config::Tensors,
};

/// A picture of a request.
pub struct Picture {
    pub frame: Arc<Frame>,
    form: Form,
}

/// How a picture was sent, and how its painting is returned.
enum Form {
    /// With this many channels.
    Pixels(usize),
    File(Box<Photo>),
}

/// Memory that pictures may take, in bytes.
pub struct Room {
    pub limit_bytes: u64,
    pub used_bytes: u64,
}

impl Room {
    fn take(&mut self, bytes: u64) -> Outcome {
        self.used_bytes = self.used_bytes.saturating_add(bytes);
        if self.used_bytes <= self.limit_bytes {
            return Ok(());
        }
        let (needed, limit) = (self.used_bytes.div_ceil(1_000_000), self.limit_bytes / 1_000_000);
        Err(invalid!(
            "the pictures of the batch need {needed} MB, the limit is {limit} MB; send smaller ones, or raise memory_mb"
        ))
    }
}

/// The pictures of an input. `name` is used in messages.
///
/// # Errors
/// If the shape is not that of pictures, if bytes are missing, or if the pictures are too large.
pub fn read(
    name: &str,
    input: &Input<'_>,
    tensors: Tensors,
    room: &mut Room,
) -> Outcome<Vec<Picture>> {
    let refused = |what: &str| invalid!("{name} has the shape {:?}; {what}", input.shape);
    if input.kind != tensors.kind {
        return Err(invalid!("{name} has another type than the model's configuration"));
    }
    let shape: Vec<usize> =
        input.shape.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
    let (count, sides) = match shape.as_slice() {
        [count, sides @ ..] if tensors.has_batches => (*count, sides),
        sides => (1, sides),
    };
    if count == 0 {
        return Err(refused("send at least one picture"));
    }
    let length: usize = input.parts.iter().map(|part| part.len()).sum();
    let size = match (tensors.kind, sides) {
        (DataType::Bytes, [1]) => None,
        (DataType::Bytes, _) => return Err(refused("send one file for each picture")),
        (DataType::Uint8, &[height, width, channels @ (3 | 4)]) => {
            let pixels = (width as u64).saturating_mul(height as u64);
            if pixels == 0 {
                return Err(refused("a picture needs at least one pixel"));
            }
            if pixels > MAX_PIXELS || width.max(height) > MAX_SIDE_PX as usize {
                return Err(refused(&format!(
                    "at most {MAX_PIXELS} pixels, {MAX_SIDE_PX} on a side, are supported"
                )));
            }
            let each = width * height * channels;
            if each.checked_mul(count) != Some(length) {
                return Err(refused(&format!("this is not the shape of {length} bytes")));
            }
            room.take(pixels.saturating_mul(4 * count as u64))?;
            Some((width, height, channels))
        }
        _ => return Err(refused("use [height, width, 3] for RGB or [height, width, 4] for RGBA")),
    };
    // Parts are joined while the pictures are read.
    let copied = if input.parts.len() > 1 { length as u64 } else { 0 };
    room.take(copied)?;
    let bytes = match input.parts.as_slice() {
        [part] => Cow::Borrowed(*part),
        parts => Cow::Owned(parts.concat()),
    };
    let pictures = match size {
        None => files(name, &bytes, count, room),
        Some((width, height, channels)) => {
            let frames = bytes.chunks_exact(width * height * channels).map(|pixels| {
                let frame = Frame::from_rgba(width, height, rgba(pixels, channels))
                    .map_err(Failure::invalid)?;
                Ok(Picture { frame: Arc::new(frame), form: Form::Pixels(channels) })
            });
            frames.collect()
        }
    };
    room.used_bytes -= copied;
    pictures
}

fn rgba(pixels: &[u8], channels: usize) -> Vec<u8> {
    if channels == 4 {
        return pixels.to_vec();
    }
    pixels
        .as_chunks()
        .0
        .iter()
        .map(|&[r, g, b]| [r, g, b, 255])
        .collect::<Vec<_>>()
        .into_flattened()
}

/// Decodes the files of an input.
fn files(name: &str, mut rest: &[u8], count: usize, room: &mut Room) -> Outcome<Vec<Picture>> {
    let mut pictures = Vec::new();
    for _ in 0..count {
        let file = rest.split_first_chunk::<4>().and_then(|(length, after)| {
            let (file, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = after;
            Some(file)
        });
        let file = file.ok_or_else(|| invalid!("{name} ends within a file"))?;
        if !matches!(decode::format_of_bytes(file), Some(Format::Png | Format::Jpeg)) {
            return Err(invalid!("{name} is neither a PNG nor a JPEG file"));
        }
        let needs = decode::needs(name, file).map_err(Failure::invalid)?;
        room.take(needs.bytes)?;
        let photo = decode::from_bytes(name, file).map_err(Failure::invalid)?;
        pictures.push(Picture { frame: photo.frame.clone(), form: Form::File(Box::new(photo)) });
    }
    if !rest.is_empty() {
        return Err(invalid!("{name} has more bytes than its files"));
    }
    Ok(pictures)
}

/// What is returned for a picture.
pub struct Painted {
    /// Its shape in a tensor, without the number of pictures.
    pub shape: Vec<i64>,
    /// Pixels with alpha, or the length of a file and its bytes.
    bytes: Vec<u8>,
    /// Only red, green and blue of the pixels are returned.
    is_rgb: bool,
}

impl Picture {
    /// The finished painting in the form of its photo.
    ///
    /// # Errors
    /// If the painting cannot be encoded.
    pub fn returned(&self, painting: Frame, format: Option<Format>) -> Outcome<Painted> {
        let photo = match &self.form {
            Form::Pixels(channels) => {
                let shape = [painting.height(), painting.width(), *channels]
                    .map(|side| side as i64)
                    .to_vec();
                return Ok(Painted { shape, bytes: painting.into_rgba(), is_rgb: *channels == 3 });
            }
            Form::File(photo) => photo,
        };
        let attached = Attached {
            profile: photo.profile.as_deref(),
            metadata: Some(&photo.metadata),
            ..Attached::default()
        };
        let encoding = Encoding::of(format.unwrap_or(photo.natural_format));
        let encoded = encode::to_bytes_with("PAINTING", Cow::Owned(painting), attached, encoding);
        let (file, _) = encoded.map_err(Failure::invalid)?;
        let bytes = [&(file.len() as u32).to_le_bytes()[..], &file].concat();
        Ok(Painted { shape: vec![1], bytes, is_rgb: false })
    }
}

impl Painted {
    pub fn byte_count(&self) -> usize {
        if self.is_rgb { self.bytes.len() / 4 * 3 } else { self.bytes.len() }
    }

    /// Writes exactly [`Painted::byte_count`] bytes.
    pub fn write(&self, to: &mut [u8]) {
        if !self.is_rgb {
            return to.copy_from_slice(&self.bytes);
        }
        let pixels = self.bytes.as_chunks().0;
        for (to, &[r, g, b, _]) in to.as_chunks_mut().0.iter_mut().zip(pixels) {
            *to = [r, g, b];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_input_are_joined_within_the_memory_limit() {
        let part = [0; 600];
        let input =
            Input { kind: DataType::Bytes, shape: &[1, 1], parts: vec![&part[..], &part[..]] };
        let tensors = Tensors { kind: DataType::Bytes, has_batches: true, has_style: false };
        let refused = |limit_bytes| {
            let mut room = Room { limit_bytes, used_bytes: 0 };
            read("IMAGE", &input, tensors, &mut room).err().expect("no picture").to_string()
        };
        assert!(refused(1199).contains("the pictures of the batch need"), "{}", refused(1199));
        assert!(refused(1200).contains("neither a PNG nor a JPEG"), "{}", refused(1200));
    }
}
