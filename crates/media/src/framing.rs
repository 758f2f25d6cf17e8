//! The framing of a photo: rotated by multiples of 90 degrees, mirrored, then cropped.

use std::{
    fmt::{Display, Formatter},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

pub use values::rotation::{Rotation, turn_into};

use values::frame::Frame;

/// A part of a picture, in pixels. Written as `640x480+10+20`: width and height, then the position of its top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Crop {
    /// Columns to the left of it.
    pub x: usize,
    /// Rows above it.
    pub y: usize,
    /// At least one.
    pub width: usize,
    /// At least one.
    pub height: usize,
}

impl Crop {
    /// True if it is inside a picture of this size.
    pub fn fits(&self, (width, height): (usize, usize)) -> bool {
        let inside = |from: usize, long: usize, side: usize| {
            long > 0 && from.checked_add(long).is_some_and(|end| end <= side)
        };
        inside(self.x, self.width, width) && inside(self.y, self.height, height)
    }

    /// The same part after mirroring a picture of this width, which must contain it.
    #[must_use]
    pub fn mirrored(self, width: usize) -> Self {
        Self { x: width - self.x - self.width, ..self }
    }

    /// The same part after rotating a picture of this size, which must contain it.
    #[must_use]
    pub fn turned(self, rotate: Rotation, (width, height): (usize, usize)) -> Self {
        let from_right = width - self.x - self.width;
        let from_bottom = height - self.y - self.height;
        let (x, y) = match rotate {
            Rotation::None => (self.x, self.y),
            Rotation::Quarter => (from_bottom, self.x),
            Rotation::Half => (from_right, from_bottom),
            Rotation::ThreeQuarters => (self.y, from_right),
        };
        let (width, height) = rotate.size((self.width, self.height));
        Self { x, y, width, height }
    }
}

impl Display for Crop {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { x, y, width, height } = self;
        write!(f, "{width}x{height}+{x}+{y}")
    }
}

impl FromStr for Crop {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = || {
            let (size, place) = text.split_once('+')?;
            let (width, height) = size.split_once(['x', 'X'])?;
            let (x, y) = place.split_once('+')?;
            let number = |text: &str| {
                let is_plain = text.bytes().all(|b| b.is_ascii_digit());
                text.parse::<usize>().ok().filter(|_| is_plain)
            };
            Some(Self {
                x: number(x)?,
                y: number(y)?,
                width: number(width).filter(|&w| w > 0)?,
                height: number(height).filter(|&h| h > 0)?,
            })
        };
        parts().ok_or("use width x height + left + top, for example 640x480+10+20")
    }
}

/// A crop extends beyond its photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the crop {crop} extends beyond the picture{turned}, which has {width} x {height} pixels; use a smaller or different crop",
    turned = if *.is_turned { " as it is turned" } else { "" }
)]
pub struct BeyondPhoto {
    crop: Crop,
    is_turned: bool,
    width: usize,
    height: usize,
}

/// Rotation, mirroring and crop of a photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Framing {
    pub rotate: Rotation,
    /// Left and right are swapped after the rotation.
    pub mirror: bool,
    /// The part of the rotated and mirrored photo; all of it if `None`.
    pub crop: Option<Crop>,
}

impl Framing {
    /// Columns and rows of the framed photo.
    pub fn size(&self, photo: (usize, usize)) -> (usize, usize) {
        let turned = self.rotate.size(photo);
        self.crop.map_or(turned, |crop| (crop.width, crop.height))
    }

    /// True if the photo is used unchanged.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The framing after the framed picture of a photo of this size (width and height) is also rotated.
    #[must_use]
    pub fn turned(self, rotate: Rotation, photo: (usize, usize)) -> Self {
        let before = self.rotate.size(photo);
        Self {
            // A mirrored picture rotates in the opposite direction.
            rotate: self.rotate.then(if self.mirror { rotate.back() } else { rotate }),
            mirror: self.mirror,
            crop: self.crop.map(|crop| crop.turned(rotate, before)),
        }
    }

    /// The framing after the framed picture of a photo of this size is also mirrored.
    #[must_use]
    pub fn mirrored(self, photo: (usize, usize)) -> Self {
        let (width, _) = self.rotate.size(photo);
        Self { mirror: !self.mirror, crop: self.crop.map(|crop| crop.mirrored(width)), ..self }
    }

    /// The framing of a copy of a photo in another size; both sizes are width and height.
    #[must_use]
    pub fn scaled(self, photo: (usize, usize), copy: (usize, usize)) -> Self {
        let [(w, h), (to_w, to_h)] = [photo, copy].map(|size| self.rotate.size(size));
        let crop = self.crop.map(|Crop { x, y, width, height }| {
            let (width, height) = ((width * to_w / w).max(1), (height * to_h / h).max(1));
            let (x, y) = ((x * to_w / w).min(to_w - width), (y * to_h / h).min(to_h - height));
            Crop { x, y, width, height }
        });
        Self { crop, ..self }
    }

    /// Applies the framing to a photo.
    ///
    /// # Errors
    /// [`BeyondPhoto`] if the crop extends beyond the picture.
    pub fn applied(&self, photo: &Frame) -> Result<Frame, BeyondPhoto> {
        let size = self.rotate.size(photo.size());
        let part = match self.crop {
            None => None,
            Some(crop) if crop.fits(size) => {
                // Crop first, so that fewer pixels are rotated.
                let crop = if self.mirror { crop.mirrored(size.0) } else { crop };
                let Crop { x, y, width, height } = crop.turned(self.rotate.back(), size);
                Some(photo.crop(x, y, width, height))
            }
            Some(crop) => {
                return Err(BeyondPhoto {
                    crop,
                    is_turned: self.rotate != Rotation::None,
                    width: size.0,
                    height: size.1,
                });
            }
        };
        if let (Rotation::None, false, Some(part)) = (self.rotate, self.mirror, part.as_ref()) {
            return Ok(part.clone());
        }
        let mut turned = Frame::empty(1, 1);
        turn_into(part.as_ref().unwrap_or(photo), &mut turned, self.rotate, self.mirror);
        Ok(turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: usize, height: usize) -> Frame {
        Frame::from_fn(width, height, |x, y| [x as u8, y as u8, 9, 255])
    }

    #[test]
    fn a_part_is_the_same_whether_it_is_cropped_or_turned_first() {
        let photo = numbered(37, 20);
        for rotate in Rotation::ALL {
            let mut turned = numbered(1, 1);
            turn_into(&photo, &mut turned, rotate, false);
            let crop = Crop { x: 3, y: 5, width: 11, height: 7 };
            let plain = Framing { rotate, mirror: false, crop: Some(crop) };
            let framed = plain.applied(&photo).expect("inside");
            assert_eq!(framed, turned.crop(3, 5, 11, 7), "{rotate}");
            let mut mirrored = numbered(1, 1);
            turn_into(&framed, &mut mirrored, Rotation::None, true);
            let swapped = plain.mirrored((37, 20));
            assert_eq!(swapped.mirrored((37, 20)), plain);
            for (framing, framed) in [(plain, framed), (swapped, mirrored)] {
                assert_eq!(framing.applied(&photo).as_ref(), Ok(&framed), "{framing:?}");
                for further in Rotation::ALL {
                    let mut expected = numbered(1, 1);
                    turn_into(&framed, &mut expected, further, false);
                    let again = framing.turned(further, (37, 20));
                    assert_eq!(again.applied(&photo), Ok(expected), "{framing:?} {further}");
                }
            }
            assert_eq!(rotate.then(rotate.back()), Rotation::None);
        }
        assert_eq!(Framing::default().applied(&photo), Ok(photo));
    }

    #[test]
    fn a_smaller_copy_shows_the_same_part() {
        let crop = |text: &str| text.parse().map(Some).expect(text);
        let framing =
            Framing { rotate: Rotation::Quarter, crop: crop("200x100+40+300"), mirror: true };
        let smaller = framing.scaled((400, 240), (100, 60));
        assert_eq!(smaller, Framing { crop: crop("50x25+10+75"), ..framing });
        let tiny = framing.scaled((400, 240), (1, 1));
        assert_eq!(tiny.crop, crop("1x1+0+0"));
    }

    #[test]
    fn crops_are_written_and_read() {
        let crop: Crop = "640x480+10+20".parse().expect("a crop");
        assert_eq!((crop.width, crop.height, crop.x, crop.y), (640, 480, 10, 20));
        assert_eq!(crop.to_string(), "640x480+10+20");
        for wrong in ["", "640x480", "0x5+0+0", "5x5+1", "5x5+-1+0", "5x5++1+0", "axb+0+0"] {
            assert!(wrong.parse::<Crop>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_crop_beyond_the_photo_is_reported() {
        let photo = numbered(30, 20);
        let framed = |text: &str, rotate| {
            let crop = Some(text.parse().expect("a crop"));
            let framing = Framing { rotate, crop, ..Framing::default() };
            framing.applied(&photo)
        };
        assert!(framed("30x20+0+0", Rotation::None).is_ok());
        let error = framed("20x30+0+0", Rotation::None).expect_err("too tall");
        assert!(error.to_string().contains("20x30+0+0"), "{error}");
        assert!(framed("20x30+0+0", Rotation::Quarter).is_ok());
        let huge = format!("5x5+{}+0", usize::MAX);
        let error = framed(&huge, Rotation::Half).expect_err("far away");
        assert!(error.to_string().contains("turned"), "{error}");
    }
}
