//! Pictures in tensors: pixels of three or four channels, or files.

use std::{borrow::Cow, sync::Arc};

use styleforge::{
    frame::Frame,
    media::{
        decode::{self, MAX_PIXELS, MAX_SIDE_PX, Photo},
        encode::{self, Attached, Encoding, Format},
    },
};

use crate::{
    api::{DataType, Failure, Input, Outcome},
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
        let what = format!("the pictures of the batch need {needed} MB, the limit is {limit} MB");
        Err(Failure::invalid(format!("{what}; send smaller ones, or raise memory_mb")))
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
    let refused =
        |what: &str| Failure::invalid(format!("{name} has the shape {:?}; {what}", input.shape));
    if input.kind != tensors.kind {
        return Err(Failure::invalid(format!(
            "{name} has another type than the model's configuration"
        )));
    }
    let sides: Vec<usize> =
        input.shape.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
    let (count, sides) = match (tensors.has_batches, sides.as_slice()) {
        (true, [count, sides @ ..]) => (*count, sides),
        (_, sides) => (1, sides),
    };
    if count == 0 {
        return Err(refused("send at least one picture"));
    }
    match (tensors.kind, sides) {
        (DataType::Bytes, [1]) => files(name, input, count, room),
        (DataType::Bytes, _) => Err(refused("send one file for each picture")),
        (DataType::Uint8, &[height, width, channels @ (3 | 4)]) => {
            let pixels = (width as u64).saturating_mul(height as u64);
            let longest = width.max(height) as u64;
            if pixels == 0 {
                return Err(refused("a picture needs at least one pixel"));
            }
            if pixels > MAX_PIXELS || longest > u64::from(MAX_SIDE_PX) {
                let limits =
                    format!("at most {MAX_PIXELS} pixels, {MAX_SIDE_PX} on a side, are supported");
                return Err(refused(&limits));
            }
            let each = width * height * channels;
            if (each as u64).checked_mul(count as u64) != Some(input.byte_count) {
                return Err(refused(&format!(
                    "this is not the shape of {} bytes",
                    input.byte_count
                )));
            }
            room.take(pixels.saturating_mul(4 * count as u64))?;
            let bytes = joined(input)?;
            let frames = bytes.chunks_exact(each).map(|pixels| {
                let frame = Frame::from_rgba(width, height, rgba(pixels, channels))
                    .map_err(Failure::invalid)?;
                Ok(Picture { frame: Arc::new(frame), form: Form::Pixels(channels) })
            });
            frames.collect()
        }
        _ => Err(refused("use [height, width, 3] for RGB or [height, width, 4] for RGBA")),
    }
}

/// The bytes of an input, copied only if they are in several parts.
fn joined<'a>(input: &Input<'a>) -> Outcome<Cow<'a, [u8]>> {
    let parts = input.parts()?;
    let bytes: u64 = parts.iter().map(|part| part.len() as u64).sum();
    if bytes != input.byte_count {
        let what = format!("an input of {} bytes has {bytes}", input.byte_count);
        return Err(Failure::invalid(what));
    }
    Ok(match parts.as_slice() {
        [part] => Cow::Borrowed(*part),
        parts => Cow::Owned(parts.concat()),
    })
}

fn rgba(pixels: &[u8], channels: usize) -> Vec<u8> {
    if channels == 4 {
        return pixels.to_vec();
    }
    let mut rgba = vec![255; pixels.len() / 3 * 4];
    for (to, from) in rgba.as_chunks_mut::<4>().0.iter_mut().zip(pixels.as_chunks::<3>().0) {
        let [r, g, b] = *from;
        *to = [r, g, b, 255];
    }
    rgba
}

/// Decodes the files of an input.
fn files(name: &str, input: &Input<'_>, count: usize, room: &mut Room) -> Outcome<Vec<Picture>> {
    let bytes = joined(input)?;
    let mut rest = bytes.as_ref();
    let mut pictures = Vec::new();
    for _ in 0..count {
        let file = rest.split_first_chunk::<4>().and_then(|(length, after)| {
            let (file, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = after;
            Some(file)
        });
        let file = file.ok_or_else(|| Failure::invalid(format!("{name} ends within a file")))?;
        if !matches!(decode::format_of_bytes(file), Some(Format::Png | Format::Jpeg)) {
            return Err(Failure::invalid(format!("{name} is neither a PNG nor a JPEG file")));
        }
        let needs = decode::needs(name, file).map_err(Failure::invalid)?;
        room.take(needs.bytes)?;
        let photo = decode::from_bytes(name, file).map_err(Failure::invalid)?;
        pictures.push(Picture { frame: photo.frame.clone(), form: Form::File(Box::new(photo)) });
    }
    if !rest.is_empty() {
        return Err(Failure::invalid(format!("{name} has more bytes than its files")));
    }
    Ok(pictures)
}

/// What is returned for a picture.
pub enum Painted {
    /// With this many channels.
    Pixels(Frame, usize),
    File(Vec<u8>),
}

impl Picture {
    /// The finished painting in the form of its photo.
    ///
    /// # Errors
    /// If the painting cannot be encoded.
    pub fn returned(&self, painting: Frame, format: Option<Format>) -> Outcome<Painted> {
        let photo = match &self.form {
            Form::Pixels(channels) => return Ok(Painted::Pixels(painting, *channels)),
            Form::File(photo) => photo,
        };
        let attached = Attached {
            profile: photo.profile.as_deref(),
            metadata: Some(&photo.metadata),
            ..Attached::default()
        };
        let encoding = Encoding::of(format.unwrap_or(photo.natural_format));
        let encoded = encode::to_bytes_with("PAINTING", Cow::Owned(painting), attached, encoding);
        encoded.map(|(bytes, _)| Painted::File(bytes)).map_err(Failure::invalid)
    }
}

impl Painted {
    pub fn byte_count(&self) -> usize {
        match self {
            Self::Pixels(frame, channels) => frame.pixel_count() * channels,
            Self::File(bytes) => 4 + bytes.len(),
        }
    }

    /// The shape of the pictures of one request, without their number.
    pub fn shape(&self) -> Vec<i64> {
        match self {
            Self::Pixels(frame, channels) => {
                [frame.height(), frame.width(), *channels].map(|n| n as i64).to_vec()
            }
            Self::File(_) => vec![1],
        }
    }

    /// Writes exactly [`Painted::byte_count`] bytes.
    pub fn write(&self, to: &mut [u8]) {
        match self {
            Self::Pixels(frame, 4) => to.copy_from_slice(frame.rgba()),
            Self::Pixels(frame, _) => {
                for (to, from) in
                    to.as_chunks_mut::<3>().0.iter_mut().zip(frame.rgba().as_chunks::<4>().0)
                {
                    let [r, g, b, _] = *from;
                    *to = [r, g, b];
                }
            }
            Self::File(bytes) => {
                let (length, file) = to.split_at_mut(4);
                length.copy_from_slice(&(bytes.len() as u32).to_le_bytes());
                file.copy_from_slice(bytes);
            }
        }
    }
}
