//! How a picture was painted, as texts in its file: written when the picture is saved, and read when it is shown
//! again.

use std::path::Path;

use pictures::encode;
use values::{
    compose::Look,
    mode::{Mode, ModelSize},
};

pub const STYLE: &str = "Style";
pub const MIX: &str = "Mix";
const MODE: &str = "Mode";
pub const WORKING_SIZE: &str = "Working size";
/// Present if the painting has the detail that the program chooses.
pub const DETAIL: &str = "Detail";
const STRENGTH: &str = "Strength";
pub const COLOURS: &str = "Colours";
/// The value of [`COLOURS`] if those of the source are not kept.
pub const OF_STYLE: &str = "the style's";

const SOURCE: &str = "Source";
const DEVICE: &str = "Device";
/// The settings that are read, in the order in which they are shown.
const SHOWN: [&str; 9] =
    [STYLE, MIX, STRENGTH, COLOURS, WORKING_SIZE, DETAIL, MODE, SOURCE, DEVICE];

/// Keywords and texts to be written.
pub type Texts = Vec<(&'static str, String)>;

/// The style or mix that painted.
#[derive(Clone, Debug, PartialEq)]
pub struct PaintedStyle {
    /// Its name in file names.
    pub label: String,
    /// The size of a style of the library.
    pub model: Option<ModelSize>,
    /// The styles of a mix and their shares, as text.
    pub mix: Option<String>,
}

/// A painting's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct PaintedWith {
    /// What painted; `None` if nothing was painted.
    pub style: Option<PaintedStyle>,
    pub mode: Option<Mode>,
    /// Width and height of the network's input, in pixels.
    pub working: Option<(usize, usize)>,
    pub look: Look,
    /// The source of a live picture, as text.
    pub source: Option<String>,
    /// Name of the device.
    pub device: Option<String>,
}

impl PaintedWith {
    pub fn texts(self) -> Texts {
        let mut texts = vec![("Software", format!("StyleForge {}", env!("CARGO_PKG_VERSION")))];
        if let Some(PaintedStyle { label, model, mix }) = self.style {
            let size = model.map_or_else(String::new, |model| format!(" {model}"));
            texts.push((STYLE, label + &size));
            texts.extend(mix.map(|mix| (MIX, mix)));
        }
        texts.extend(self.mode.map(|mode| (MODE, mode.to_string())));
        texts.extend(self.working.map(|(w, h)| (WORKING_SIZE, format!("{w} x {h} px"))));
        let Look { strength_percent, keep_colors } = self.look;
        texts.push((STRENGTH, format!("{strength_percent} %")));
        let colours = if keep_colors { "the source's" } else { OF_STYLE };
        texts.push((COLOURS, colours.to_owned()));
        texts.extend(self.source.map(|source| (SOURCE, source)));
        texts.extend(self.device.map(|device| (DEVICE, device)));
        texts
    }
}

/// The look in the texts of a file; what they do not contain is that of `before`.
pub fn look(texts: &[(String, String)], before: Look) -> Look {
    let text = |name: &str| texts.iter().find(|(keyword, _)| keyword == name).map(|(_, text)| text);
    let percent = |name| text(name)?.strip_suffix(" %")?.parse().ok();
    Look {
        strength_percent: percent(STRENGTH).map_or(before.strength_percent, |p| u8::min(p, 100)),
        keep_colors: text(COLOURS).map_or(before.keep_colors, |colours| colours != OF_STYLE),
    }
}

/// Maximum length of a setting in a file. The longest one is a path.
const MAX_TEXT_BYTES: usize = 8 << 10;

/// The settings in the PNG or JPEG file at `path`: names and values. Reads the file, so call it on background threads.
pub fn read(path: &Path) -> Vec<(String, String)> {
    let mut texts = encode::texts(path);
    texts.retain(|(_, text)| text.len() <= MAX_TEXT_BYTES);
    SHOWN
        .into_iter()
        .filter_map(|name| texts.iter().find(|(keyword, _)| keyword == name).cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::frame::Frame;

    #[test]
    fn settings_of_any_length_are_not_read() {
        let frame = Frame::from_fn(2, 2, |_, _| [9, 9, 9, 255]);
        let texts = [(STYLE, "candy full".to_owned()), (MIX, "a 50 %, ".repeat(100_000))];
        let file = encode::png_with_texts("a", &frame, &texts).expect("encoded");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.png");
        std::fs::write(&path, file).expect("written");
        assert_eq!(read(&path), [(STYLE.to_owned(), "candy full".to_owned())]);
    }
}
