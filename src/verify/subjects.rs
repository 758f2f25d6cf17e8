//! What a backend is judged on: random networks of unusual shapes on pictures that are hard on
//! padding, odd sizes and norms, and trained styles on the sample.

use std::sync::Arc;

use crate::{
    frame::Frame,
    media::scale::{scaled, size_within},
    network::{Kernels, Network, NetworkError, NetworkSpec},
};

/// Long side of the sample for checks of trained styles, in pixels.
const SAMPLE_PX: usize = 64;

/// One network to judge a backend with.
pub struct Subject {
    /// What reports call it.
    pub name: String,
    /// The weights.
    pub network: Arc<Network>,
    /// What it is run on.
    pub pictures: Vec<(String, Frame)>,
}

/// Random networks on pictures that are hard on padding, odd sizes and norms.
///
/// # Errors
/// [`NetworkError`] never happens for the shapes written here; it is passed on, not hidden.
pub fn adversarial_subjects() -> Result<Vec<Subject>, NetworkError> {
    let spec = |widths, blocks, kernels| NetworkSpec {
        widths,
        blocks,
        kernels,
    };
    let usual = Kernels::default();
    let large = Kernels {
        first: 5,
        down: [5, 3],
        residual: 5,
        up: [3, 5],
        last: 7,
    };
    let small = Kernels {
        first: 3,
        down: [3, 1],
        residual: 1,
        up: [1, 3],
        last: 1,
    };
    [
        ("random 8-16-32", spec([8, 16, 32], 2, usual)),
        ("random 32-64-128", spec([32, 64, 128], 2, usual)),
        ("random 5-7-13", spec([5, 7, 13], 1, usual)),
        (
            "random 12-20-36, large kernels",
            spec([12, 20, 36], 1, large),
        ),
        ("random 9-8-17, small kernels", spec([9, 8, 17], 3, small)),
    ]
    .into_iter()
    .zip(1..)
    .map(|((name, spec), seed)| {
        Ok(Subject {
            name: name.to_owned(),
            network: Arc::new(Network::random(spec, seed)?),
            pictures: adversarial_pictures(spec.min_side_px()),
        })
    })
    .collect()
}

/// A trained style on a small copy of `photo`.
pub fn style_subject(name: &str, network: Arc<Network>, photo: &Frame) -> Subject {
    let (width, height) = size_within(photo.width(), photo.height(), SAMPLE_PX);
    Subject {
        name: name.to_owned(),
        network,
        pictures: vec![("sample".to_owned(), scaled(photo, width, height))],
    }
}

fn adversarial_pictures(smallest_px: usize) -> Vec<(String, Frame)> {
    let noise = |width: usize, height: usize| {
        // A multiplicative hash of the position: no two neighbours are alike.
        Frame::from_fn(width, height, |x, y| {
            let h = ((y * width + x) as u32)
                .wrapping_add(1)
                .wrapping_mul(2_654_435_761);
            (h ^ (h >> 15)).to_le_bytes()
        })
    };
    let flat = |level: u8| Frame::from_fn(24, 20, move |_, _| [level, level, level, 255]);
    let hot_corners = Frame::from_fn(32, 20, |x, y| {
        let hot = (x == 0 || x == 31) && (y == 0 || y == 19);
        let level = if hot { 255 } else { 0 };
        [level, level, level, 255]
    });
    let faint = Frame::from_fn(28, 28, |x, y| {
        let level = 127 + ((x * 7 + y * 3) % 5 == 0) as u8;
        [level, level, level, 255]
    });
    let mut pictures = vec![
        ("flat grey".to_owned(), flat(128)),
        ("flat black".to_owned(), flat(0)),
        ("hot corners".to_owned(), hot_corners),
        ("faint pattern".to_owned(), faint),
    ];
    let sizes = [
        (33, 21),
        (48, 37),
        (7, 5),
        (1, 1),
        (1, 9),
        (13, 1),
        (smallest_px, smallest_px),
    ];
    pictures.extend(sizes.map(|(w, h)| (format!("noise {w} x {h}"), noise(w, h))));
    pictures
}
