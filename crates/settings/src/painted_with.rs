//! How a picture was painted, as texts in its file: written when the picture is saved, and read when it is shown
//! again.

use std::path::Path;

use engine::paint::WorkingSize;
use pictures::encode;
use values::{
    compose::Look,
    mode::{Mode, ModelSize},
};

pub const STYLE: &str = "Style";
pub const MIX: &str = "Mix";
const MODE: &str = "Mode";
pub const WORKING_SIZE: &str = "Working size";
/// The detail that was chosen, if it is known: [`DEFAULT`], the long side in pixels, or `original`.
pub const DETAIL: &str = "Detail";
/// The detail that the program chooses.
pub const DEFAULT: &str = "default";
const STEADINESS: &str = "Steadiness";
const STRENGTH: &str = "Strength";
pub const COLOURS: &str = "Colours";
/// The value of [`COLOURS`] if those of the source are not kept.
pub const OF_STYLE: &str = "the style's";

const SOURCE: &str = "Source";
const DEVICE: &str = "Device";
/// The settings that are read, in the order in which they are shown.
const SHOWN: [&str; 10] =
    [STYLE, MIX, STRENGTH, COLOURS, STEADINESS, WORKING_SIZE, DETAIL, MODE, SOURCE, DEVICE];

/// Maximum number of styles in a mix.
pub const MAX_STYLES: usize = 4;

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
    pub detail: Option<WorkingSize>,
    pub look: Look,
    /// Of live pictures and looks, 0 to 100.
    pub steadiness: Option<u8>,
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
        texts.extend(self.detail.map(|detail| {
            (DETAIL, if detail == WorkingSize::Auto { DEFAULT.into() } else { detail.to_string() })
        }));
        let Look { strength_percent, keep_colors } = self.look;
        texts.push((STRENGTH, format!("{strength_percent} %")));
        let colours = if keep_colors { "the source's" } else { OF_STYLE };
        texts.push((COLOURS, colours.to_owned()));
        texts.extend(self.steadiness.map(|percent| (STEADINESS, format!("{percent} %"))));
        texts.extend(self.source.map(|source| (SOURCE, source)));
        texts.extend(self.device.map(|device| (DEVICE, device)));
        texts
    }
}

/// How a painting was made, as far as it can be done again.
#[derive(Clone, Debug, PartialEq)]
pub struct Painted {
    /// Ids of the styles and their weights in a mix, 0 to 100.
    pub styles: Vec<(String, u8)>,
    /// Size of a style of the library.
    pub model: Option<ModelSize>,
    pub detail: WorkingSize,
    pub look: Look,
    /// `None` for paintings of photos.
    pub steadiness: Option<u8>,
}

impl Painted {
    /// What the texts of a file say; `None` if they name no style, or contain invalid values.
    pub fn of(texts: &[(String, String)]) -> Option<Self> {
        let text = |name: &str| {
            let (_, text) = texts.iter().find(|(keyword, _)| keyword == name)?;
            (text.len() <= MAX_TEXT_BYTES).then_some(text.as_str())
        };
        let percent = |name| {
            let percent = text(name)?.strip_suffix(" %")?.parse().ok();
            percent.filter(|percent: &u8| *percent <= 100)
        };
        let (styles, model) = match text(MIX) {
            Some(mix) => (parts(mix)?, None),
            None => {
                let label = text(STYLE).filter(|label| !label.is_empty())?;
                let sized =
                    label.rsplit_once(' ').and_then(|(id, model)| Some((id, model.parse().ok()?)));
                let (id, model) = sized.map_or((label, None), |(id, model)| (id, Some(model)));
                (vec![(id.to_owned(), 100)], model)
            }
        };
        let long_side = |size: &str| {
            let (width, height) = size.strip_suffix(" px")?.split_once(" x ")?;
            usize::max(width.parse().ok()?, height.parse().ok()?).to_string().parse().ok()
        };
        Some(Self {
            styles,
            model,
            detail: match text(DETAIL) {
                Some(DEFAULT) => WorkingSize::Auto,
                Some(detail) => detail.parse().ok()?,
                None => text(WORKING_SIZE).and_then(long_side).unwrap_or_default(),
            },
            look: Look {
                strength_percent: percent(STRENGTH).unwrap_or(100),
                keep_colors: text(COLOURS).is_some_and(|colours| colours != OF_STYLE),
            },
            steadiness: percent(STEADINESS),
        })
    }
}

/// The styles of a mix and their shares in a text such as `a 60 %, b 40 %`; `None` for other texts.
pub fn parts(mix: &str) -> Option<Vec<(String, u8)>> {
    let mut styles: Vec<(String, u8)> = Vec::new();
    for part in mix.split(", ") {
        let (style, share) = part.strip_suffix(" %")?.rsplit_once(' ')?;
        let share = share.parse().ok().filter(|share| *share <= 100)?;
        if styles.len() == MAX_STYLES || styles.iter().any(|(id, _)| id == style) {
            return None;
        }
        styles.push((style.to_owned(), share));
    }
    Some(styles)
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
