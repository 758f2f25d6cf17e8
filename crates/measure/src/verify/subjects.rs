//! The networks and pictures of a check: random networks of unusual shapes with pictures that stress padding, odd sizes
//! and norms, and trained styles with the sample.

use std::sync::Arc;

use network::{Network, NetworkError, models};
use pictures::scale::{scaled, size_within};
use values::frame::Frame;

/// Long side of the sample for checks of trained styles.
const SAMPLE_PX: usize = 64;

/// A network to check a backend with.
pub struct Subject {
    /// Name in reports.
    pub name: String,
    pub network: Arc<Network>,
    /// Names and input pictures.
    pub pictures: Vec<(String, Frame)>,
}

/// Random networks with pictures that stress padding, odd sizes and norms.
///
/// # Errors
/// See [`models::adversarial`].
pub fn adversarial_subjects() -> Result<Vec<Subject>, NetworkError> {
    let subject = |(name, network): (&str, Network)| Subject {
        name: name.to_owned(),
        pictures: adversarial_pictures(network.graph().min_side_px().unwrap_or(1)),
        network: Arc::new(network),
    };
    Ok(models::adversarial()?.into_iter().map(subject).collect())
}

/// A trained style with a small copy of `photo`, or a copy of the network's size if that is fixed.
pub fn style_subject(name: &str, network: Arc<Network>, photo: &Frame) -> Subject {
    let (width, height) = match network.graph().fixed_size() {
        Some([rows, columns]) => (columns, rows),
        None => size_within(photo.width(), photo.height(), SAMPLE_PX),
    };
    Subject {
        name: name.to_owned(),
        network,
        pictures: vec![("sample".to_owned(), scaled(photo, width, height))],
    }
}

fn adversarial_pictures(smallest_px: usize) -> Vec<(String, Frame)> {
    let noise = |width: usize, height: usize| {
        // A multiplicative hash of the position, so that neighbours differ.
        Frame::from_fn(width, height, |x, y| {
            let h = ((y * width + x) as u32).wrapping_add(1).wrapping_mul(2_654_435_761);
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
    let sizes = [(33, 21), (48, 37), (7, 5), (1, 1), (1, 9), (13, 1), (smallest_px, smallest_px)];
    pictures.extend(sizes.map(|(w, h)| (format!("noise {w} x {h}"), noise(w, h))));
    pictures
}
