//! Resizes pictures between their own size and the working size.

use fast_image_resize::{
    FilterType, ImageView, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8, U8x4, U16x4},
};

pub use values::frame::{size_with_long_side, size_within};
use values::{compose::Plane, deep_frame::DeepFrame, frame::Frame};

/// `frame` scaled to `width` x `height` pixels with a Lanczos filter of radius 3. Respects alpha: colours of
/// transparent pixels do not bleed. A copy if the size is already right. Sides of 0 count as 1.
pub fn scaled(frame: &Frame, width: usize, height: usize) -> Frame {
    let (width, height) = (width.max(1), height.max(1));
    if (frame.width(), frame.height()) == (width, height) {
        return frame.clone();
    }
    let resized = || -> Option<Frame> {
        let [from_width, from_height, to_width, to_height] =
            sides([frame.width(), frame.height(), width, height])?;
        let source =
            TypedImageRef::<U8x4>::from_buffer(from_width, from_height, frame.rgba()).ok()?;
        let mut rgba = vec![0; width * height * 4];
        let target = TypedImage::<U8x4>::from_buffer(to_width, to_height, &mut rgba).ok()?;
        resize(&source, target, frame.is_opaque())?;
        Frame::from_rgba(width, height, rgba).ok()
    };
    resized().unwrap_or_else(|| nearest(frame, width, height))
}

/// A plane scaled like [`scaled`]. Black if a side is beyond the 32-bit sizes of the resampler.
pub fn scaled_plane(plane: &Plane, width: usize, height: usize) -> Plane {
    let mut values = vec![0; width * height];
    let mut resized = || -> Option<()> {
        let (from_width, from_height) = plane.size();
        let [from_width, from_height, to_width, to_height] =
            sides([from_width, from_height, width, height])?;
        let source =
            TypedImageRef::<U8>::from_buffer(from_width, from_height, plane.values()).ok()?;
        resize(&source, TypedImage::from_buffer(to_width, to_height, &mut values).ok()?, true)
    };
    resized();
    Plane::new(width, values)
}

/// [`scaled`] with 16 bits per channel.
pub fn scaled_deep(frame: DeepFrame, width: usize, height: usize) -> DeepFrame {
    let (size, opaque) = (frame.size(), frame.is_opaque());
    if size == (width, height) {
        return frame;
    }
    let resized = || -> Option<DeepFrame> {
        let [from_width, from_height, to_width, to_height] =
            sides([size.0, size.1, width, height])?;
        let pixels = frame.pixels.iter().copied().map(U16x4::new).collect();
        let source = TypedImage::from_pixels(from_width, from_height, pixels).ok()?;
        let mut pixels = vec![U16x4::default(); width * height];
        let target = TypedImage::from_pixels_slice(to_width, to_height, &mut pixels).ok()?;
        resize(&source, target, opaque)?;
        Some(DeepFrame::new(width, pixels.into_iter().map(|pixel| pixel.0).collect()))
    };
    resized().unwrap_or_else(|| (&nearest(&frame.narrowed(), width, height)).into())
}

/// The sides as the resampler takes them; `None` if one is 0 or too long.
fn sides(of: [usize; 4]) -> Option<[u32; 4]> {
    let sides = of.map(|side| u32::try_from(side).unwrap_or(0));
    (!sides.contains(&0)).then_some(sides)
}

/// Typed calls, because the untyped ones would compile the resampler for every pixel type.
fn resize<P: PixelTrait>(
    source: &impl ImageView<Pixel = P>,
    mut target: TypedImage<'_, P>,
    opaque: bool,
) -> Option<()> {
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .use_alpha(!opaque);
    Resizer::new().resize_typed(source, &mut target, &options).ok()
}

/// Peak memory of [`scaled`] in addition to the picture and its result.
pub fn scaling_bytes(from: (usize, usize), to: (usize, usize), opaque: bool) -> u64 {
    if from == to {
        return 0;
    }
    let bytes = |width: usize, height: usize| 4 * width as u64 * height as u64;
    // The rows are scaled first; pictures with alpha also need a copy with the colours multiplied by alpha.
    let weighted = if opaque { 0 } else { bytes(from.0, from.1) };
    weighted + bytes(from.0, to.1) + table_bytes(from.0, to.0) + table_bytes(from.1, to.1)
}

/// Memory for the scaler's weights from a side of `from` pixels to one of `to`. For each new pixel these are the
/// weights of all covered pixels, as `f64` and rounded to `i16`, and their offset.
fn table_bytes(from: usize, to: usize) -> u64 {
    let covered = 2 * (3 * from).div_ceil(to.max(1)).max(3) + 1;
    to as u64 * (10 * covered as u64 + 40)
}

/// Nearest neighbour, for sides beyond the 32-bit sizes of the resampler.
fn nearest(frame: &Frame, width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        frame.pixel(x * frame.width() / width, y * frame.height() / height)
    })
}

/// The size scaled down into the fixed rows and columns of a network that has a fixed input size, keeping the aspect
/// ratio. Never enlarged; unchanged if `fixed` is `None`.
pub fn size_inside((width, height): (usize, usize), fixed: Option<[usize; 2]>) -> (usize, usize) {
    let Some([rows, columns]) = fixed.filter(|[rows, columns]| width > *columns || height > *rows)
    else {
        return (width, height);
    };
    // The side with the stronger reduction decides.
    if width * rows > height * columns {
        (columns, (height * columns / width).max(1))
    } else {
        ((width * rows / height).max(1), rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_go_inside_a_fixed_one() {
        let inside = |width, height| size_inside((width, height), Some([32, 48]));
        assert_eq!(inside(48, 32), (48, 32));
        assert_eq!(inside(20, 30), (20, 30));
        assert_eq!(inside(512, 512), (32, 32));
        assert_eq!(inside(1000, 100), (48, 4));
        assert_eq!(inside(10, 1_000_000), (1, 32));
        assert_eq!(size_inside((7000, 5), None), (7000, 5));
    }

    #[test]
    fn flat_stays_flat_and_sizes_fit() {
        let flat = Frame::from_fn(33, 20, |_, _| [200, 30, 60, 255]);
        let small = scaled(&flat, 7, 50);
        assert_eq!((small.width(), small.height()), (7, 50));
        assert!(small.rgba().chunks(4).all(|p| p == [200, 30, 60, 255]));
    }

    #[test]
    fn long_side_rules() {
        assert_eq!(size_within(4000, 3000, 1280), (1280, 960));
        assert_eq!(size_within(100, 50, 1280), (100, 50));
        assert_eq!(size_within(100_000, 1, 1000), (1000, 1));
    }
}
