//! How a picture was painted, as texts in its file: written when the picture is saved, and read when it is shown
//! again.

use std::path::Path;

use super::{
    choice::{Choice, NetworkOf, nearest_brush},
    mix::{self, Mix},
};
use crate::{compose::Look, media::encode, mode::Mode};

const STYLE: &str = "Style";
const MIX: &str = "Mix";
const MODE: &str = "Mode";
const WORKING_SIZE: &str = "Working size";
const STRENGTH: &str = "Strength";
const COLOURS: &str = "Colours";
/// The value of [`COLOURS`] if those of the source are not kept.
const OF_STYLE: &str = "the style's";

const SOURCE: &str = "Source";
const DEVICE: &str = "Device";
/// The settings that are shown, in their order.
const SHOWN: [&str; 8] = [STYLE, MIX, STRENGTH, COLOURS, WORKING_SIZE, MODE, SOURCE, DEVICE];

/// Keywords and texts to be written.
pub type Texts = Vec<(&'static str, String)>;

/// A painting's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct PaintedWith {
    /// What painted; `None` if nothing was painted.
    pub network: Option<NetworkOf>,
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
        match &self.network {
            Some(NetworkOf::Style(style, model)) => texts.push((STYLE, format!("{style} {model}"))),
            Some(NetworkOf::Mix(parts)) => {
                texts.push((STYLE, mix::label(parts)));
                texts.push((MIX, mix::text(parts, |style| style)));
            }
            None => {}
        }
        texts.extend(self.mode.map(|mode| (MODE, mode.to_string())));
        texts.extend(self.working.map(|(w, h)| (WORKING_SIZE, format!("{w} x {h} px"))));
        texts.push((STRENGTH, format!("{} %", self.look.strength_percent)));
        let colours = if self.look.keep_colors { "the source's" } else { OF_STYLE };
        texts.push((COLOURS, colours.to_owned()));
        texts.extend(self.source.map(|source| (SOURCE, source)));
        texts.extend(self.device.map(|device| (DEVICE, device)));
        texts
    }
}

/// The settings in the PNG or JPEG file at `path`: names and values. Reads the file, so call it on background threads.
pub fn read(path: &Path) -> Vec<(String, String)> {
    let texts = encode::texts(path);
    let value = |name: &str| texts.iter().find(|(keyword, _)| keyword == name).cloned();
    SHOWN.into_iter().filter_map(value).collect()
}

/// The choice with the settings in the texts of a file; `None` if they name no style.
pub fn choice(texts: &[(String, String)], before: &Choice) -> Option<Choice> {
    let text = |name: &str| {
        let found = texts.iter().find(|(keyword, _)| keyword == name);
        found.map(|(_, text)| text.as_str())
    };
    let mut choice = before.clone();
    match text(MIX) {
        Some(mix) => choice.mix = Mix { styles: mix::parsed(mix)? },
        None => {
            let (style, model) = text(STYLE)?.rsplit_once(' ')?;
            choice.mix = Mix::of(Some(style.to_owned()));
            choice.model = model.parse().ok()?;
        }
    }
    if let Some(percent) = text(STRENGTH).and_then(|t| t.strip_suffix(" %")?.parse().ok()) {
        choice.look.strength_percent = u8::min(percent, 100);
    }
    if let Some(colours) = text(COLOURS) {
        choice.look.keep_colors = colours != OF_STYLE;
    }
    let sides = text(WORKING_SIZE).and_then(|t| t.strip_suffix(" px")?.split_once(" x "));
    if let Some((width, height)) = sides
        && let (Ok(width), Ok(height)) = (width.parse(), height.parse())
    {
        choice.brush = nearest_brush(usize::max(width, height));
    }
    Some(choice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gui::mix::Parts, mode::ModelSize};

    #[test]
    fn the_texts_of_a_painting_lead_back_to_its_settings() {
        let before = Choice::from_settings(&Default::default());
        let look = Look { strength_percent: 70, keep_colors: true };
        let mix = vec![("a b".to_owned(), 60), ("c".to_owned(), 40)];
        for parts in [Parts::new(), mix] {
            let (model, working) = (ModelSize::Lite, Some((640, 480)));
            let style = Some("a b");
            let painted = PaintedWith {
                network: Some(NetworkOf::new("a b", &parts, model)),
                mode: None,
                working,
                look,
                source: None,
                device: None,
            };
            let texts = painted.texts().into_iter().map(|(name, text)| (name.to_owned(), text));
            let found = choice(&texts.collect::<Vec<_>>(), &before).expect("a style");
            assert_eq!((found.style(), found.look), (style, look));
            assert_eq!((found.parts(), found.brush_px()), (parts.clone(), 640));
            let expected = if parts.is_empty() { model } else { before.model };
            assert_eq!(found.model, expected);
        }
        assert_eq!(choice(&[("Style".to_owned(), "a".to_owned())], &before), None);
        assert_eq!(choice(&[], &before), None);
    }
}
