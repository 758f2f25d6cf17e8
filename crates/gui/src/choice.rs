//! The user's choice of how to paint a photo: style, model size, brush, output, look.
//!
//! Plain data; no threads, no egui.

use engine::{
    Stylization,
    paint::{OutputSize, PaintSettings, WorkingSize},
};
use media::framing::Framing;
use serde::{Deserialize, Serialize};
use settings::{
    Choices, LiveStyle,
    painted_with::{Painted, PaintedStyle},
};
use values::{
    compose::Look,
    mode::{ModeChoice, ModelSize},
};

use crate::styles::mix::{self, Mix, Parts};

/// Brush sizes, finest first: the long side in pixels at which the network receives the photo.
pub const BRUSHES_PX: [usize; 14] =
    [6400, 4800, 3600, 2560, 1920, 1600, 1280, 1024, 800, 640, 512, 400, 320, 240];
/// Index of the default in [`BRUSHES_PX`].
pub const DEFAULT_BRUSH: usize = 6;

/// A network that paints.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkOf {
    /// Of this style, in this size.
    Style(String, ModelSize),
    /// Of this mix.
    Mix(Parts),
}

impl NetworkOf {
    /// The network of a style, or of the mix of it.
    pub fn new(style: &str, parts: &Parts, model: ModelSize) -> Self {
        if parts.is_empty() {
            Self::Style(style.to_owned(), model)
        } else {
            Self::Mix(parts.clone())
        }
    }

    /// Its name in file names.
    pub fn label(&self) -> String {
        match self {
            Self::Style(id, _) => id.clone(),
            Self::Mix(parts) => mix::label(parts),
        }
    }

    /// As text in the file of a painting.
    pub fn as_painted(&self) -> PaintedStyle {
        let (model, mix) = match self {
            Self::Style(_, model) => (Some(*model), None),
            Self::Mix(parts) => (None, Some(mix::text(parts, |style| style))),
        };
        PaintedStyle { label: self.label(), model, mix }
    }

    pub fn is_mix(&self) -> bool {
        matches!(self, Self::Mix(_))
    }

    /// The ids of its styles.
    pub fn styles(&self) -> Vec<&str> {
        match self {
            Self::Style(id, _) => vec![id],
            Self::Mix(parts) => parts.iter().map(|(id, _)| id.as_str()).collect(),
        }
    }

    /// Notes that a style has a new id.
    pub fn rename_style(&mut self, old: &str, new: &str) {
        match self {
            Self::Style(id, _) => rename([id], old, new),
            Self::Mix(parts) => rename(parts.iter_mut().map(|(id, _)| id), old, new),
        }
    }
}

/// Gives the styles with an id a new one.
pub fn rename<'a>(ids: impl IntoIterator<Item = &'a mut String>, old: &str, new: &str) {
    ids.into_iter().filter(|id| *id == old).for_each(|id| new.clone_into(id));
}

/// Everything that determines the network's output.
#[derive(Clone, PartialEq)]
pub struct Recipe {
    /// Number of the photo.
    pub photo: u64,
    /// How the photo is turned and cropped.
    pub framing: Framing,
    pub network: NetworkOf,
    /// Width and height of the network's input.
    pub working: (usize, usize),
    /// Variant, precision and attention.
    pub mode: ModeChoice,
    /// The painting has 16 bits per channel.
    pub has_16_bits: bool,
}

impl Recipe {
    /// True if `other` is the same mix with different weights, and all else is equal.
    pub fn is_mixed_otherwise(&self, other: &Self) -> bool {
        let is_mixed = self.network.is_mix() || other.network.is_mix();
        let [own, others] = [self, other].map(|recipe| recipe.network.styles());
        let is_same = Self { network: other.network.clone(), ..self.clone() } == *other;
        is_mixed && is_same && self.network != other.network && own.first() == others.first()
    }
}

/// The key that distinguishes results: recipe, look, size.
pub type SavedKey = (Recipe, Look, OutputSize);

/// How to paint the photo: the state that undo and redo restore.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The style, and what is mixed with it.
    pub mix: Mix,
    /// The model size, if the style has it.
    pub model: ModelSize,
    /// Brush size: index in [`BRUSHES_PX`].
    pub brush: usize,
    /// How the photo is turned and cropped; reset for every new photo.
    pub framing: Framing,
    /// Size of the finished picture.
    pub output: OutputSize,
    /// Strength and colours.
    pub look: Look,
    /// Variant, precision and attention of photos; live mode has its own.
    pub mode: ModeChoice,
    /// Steadiness of films, 0 to 100; live mode has its own.
    pub steadiness: u8,
    /// Photos are painted and saved with 16 bits per channel.
    pub has_16_bits: bool,
}

impl Choice {
    /// The choice in the user's settings.
    pub fn from_settings(choices: &Choices) -> Self {
        Self {
            mix: Mix::remembered(choices.style.as_ref(), choices.mix_own, &choices.mix),
            model: choices.model,
            brush: choices.working_px.map_or(DEFAULT_BRUSH, nearest_brush),
            framing: Framing::default(),
            output: choices.output,
            look: choices.look,
            mode: choices.mode,
            steadiness: choices.steadiness,
            has_16_bits: choices.has_16_bits,
        }
    }

    /// Like [`Self::from_settings`], for live mode; `None` if live mode has no choice of its own.
    pub fn of_live(choices: &Choices) -> Option<Self> {
        let live = choices.live.as_ref()?;
        Some(Self {
            mix: Mix::remembered(live.style.as_ref(), live.mix_own, &live.mix),
            look: live.look,
            ..Self::from_settings(choices)
        })
    }

    /// Writes the choice of live mode to the user's settings.
    pub fn remember_live(&self, choices: &mut Choices) {
        choices.live = Some(LiveStyle {
            style: self.style().map(str::to_owned),
            mix_own: self.mix.own_weight(),
            mix: self.mix.others().to_vec(),
            look: self.look,
        });
    }

    /// Writes the choice to the user's settings.
    pub fn remember(&self, choices: &mut Choices) {
        // Every photo has its own framing.
        let Self { mix, model, brush, framing: _, output, look, mode, steadiness, has_16_bits } =
            self;
        choices.style = mix.style().map(str::to_owned);
        choices.mix = mix.others().to_vec();
        choices.mix_own = mix.own_weight();
        choices.model = *model;
        choices.working_px = (*brush != DEFAULT_BRUSH).then(|| BRUSHES_PX[*brush]);
        choices.output = *output;
        choices.look = *look;
        choices.mode = *mode;
        choices.steadiness = *steadiness;
        choices.has_16_bits = *has_16_bits;
    }

    /// Number of settings that differ; every style of another mix counts.
    pub fn changes(&self, before: &Self) -> usize {
        let Self { mix, model, brush, framing, output, look, mode, steadiness: _, has_16_bits } =
            self;
        let changed = [
            *model != before.model,
            *brush != before.brush,
            *framing != before.framing,
            *output != before.output,
            look.strength_percent != before.look.strength_percent,
            look.keep_colors != before.look.keep_colors,
            *mode != before.mode,
            *has_16_bits != before.has_16_bits,
        ];
        let styles = if *mix == before.mix { 0 } else { mix.parts().len().max(1) };
        styles + changed.into_iter().filter(|is_changed| *is_changed).count()
    }

    /// The choice with the settings of a painting or look.
    pub fn with(&self, painted: Painted) -> Self {
        let Painted { styles, model, detail, look, steadiness } = painted;
        let mix = match styles.as_slice() {
            [(style, _)] => Mix::of(Some(style.clone())),
            _ => Mix { styles },
        };
        Self {
            mix,
            model: model.unwrap_or(self.model),
            brush: match detail {
                WorkingSize::Auto => DEFAULT_BRUSH,
                WorkingSize::LongSide(px) => nearest_brush(px),
                WorkingSize::Original => 0,
            },
            look,
            steadiness: steadiness.unwrap_or(self.steadiness),
            ..self.clone()
        }
    }

    /// The settings of a look, with this steadiness; `None` without a style.
    pub fn as_look(&self, steadiness: u8) -> Option<Painted> {
        let (style, parts) = (self.style()?, self.parts());
        let is_mix = !parts.is_empty();
        Some(Painted {
            styles: if is_mix { parts } else { vec![(style.to_owned(), 100)] },
            model: (!is_mix).then_some(self.model),
            detail: if self.brush == DEFAULT_BRUSH {
                WorkingSize::Auto
            } else {
                self.working_size()
            },
            look: self.look,
            steadiness: Some(steadiness),
        })
    }

    /// Notes that a style has a new id.
    pub fn rename_style(&mut self, old: &str, new: &str) {
        rename(self.mix.styles.iter_mut().map(|(style, _)| style), old, new);
    }

    /// The network that paints, in this size if it is a style's; `None` without a style.
    pub fn network(&self, model: ModelSize) -> Option<NetworkOf> {
        Some(NetworkOf::new(self.style()?, &self.parts(), model))
    }

    /// The chosen style; `None` paints nothing.
    pub fn style(&self) -> Option<&str> {
        self.mix.style()
    }

    /// The styles of the mix; empty if a single style paints.
    pub fn parts(&self) -> Parts {
        self.mix.parts()
    }

    /// The working size of the brush.
    pub fn working_size(&self) -> WorkingSize {
        working_size_of(self.brush)
    }

    /// How photos and frames of films are painted, still without a network.
    pub fn stylization(&self) -> Stylization<WorkingSize> {
        let Self { brush, look, mode, steadiness, .. } = *self;
        Stylization {
            network: None,
            size: working_size_of(brush),
            mode,
            look,
            steadiness,
            mask: None,
        }
    }

    /// The settings of the network's run.
    pub fn paint_settings(&self) -> PaintSettings {
        PaintSettings { is_deep: self.has_16_bits, ..self.stylization().paint_settings() }
    }
}

/// The brush whose size is closest to this one.
fn nearest_brush(px: usize) -> usize {
    (0..BRUSHES_PX.len()).min_by_key(|&i| BRUSHES_PX[i].abs_diff(px)).unwrap_or(DEFAULT_BRUSH)
}

/// The working size of an index in [`BRUSHES_PX`].
pub fn working_size_of(brush: usize) -> WorkingSize {
    WorkingSize::LongSide(BRUSHES_PX[brush])
}

/// The finest brush that still differs from the next one for a photo with this long side. Finer brushes would all paint
/// at the photo's own size.
pub fn finest_brush(long_side_px: usize) -> usize {
    BRUSHES_PX
        .iter()
        .position(|&px| px < long_side_px)
        .unwrap_or(BRUSHES_PX.len())
        .saturating_sub(1)
}

/// The choice with the settings in the texts of a file; `None` if they name no style.
pub fn of_painting(texts: &[(String, String)], before: &Choice) -> Option<Choice> {
    Some(before.with(Painted::of(texts)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::painted_with::{DEFAULT, DETAIL, MIX, PaintedWith, STYLE, WORKING_SIZE};

    #[test]
    fn brushes_finer_than_the_photo_are_left_out() {
        assert!(BRUSHES_PX.windows(2).all(|w| w[0] > w[1]));
        assert_eq!(finest_brush(4000), 1);
        assert_eq!(BRUSHES_PX[finest_brush(1000)], 1024);
        assert_eq!(finest_brush(10), BRUSHES_PX.len() - 1);
        assert_eq!(finest_brush(100_000), 0);
    }

    #[test]
    fn choices_are_remembered_and_read_again() {
        let mut choice = Choice::from_settings(&Choices::default());
        assert_eq!(choice.brush, DEFAULT_BRUSH);
        choice.brush = 9;
        choice.mix = Mix::of(Some("udnie".to_owned()));
        choice.mode = "baseline fp32".parse().expect("a mode");
        choice.steadiness = 30;
        let mut choices = Choices::default();
        choice.remember(&mut choices);
        assert_eq!(Choice::from_settings(&choices), choice);
    }

    #[test]
    fn the_texts_of_a_painting_lead_back_to_its_settings() {
        let before = Choice::from_settings(&Default::default());
        let look = Look::new(70, true);
        let mix = vec![("a b".to_owned(), 60), ("c".to_owned(), 40)];
        for parts in [Parts::new(), mix] {
            let (model, working) = (ModelSize::Lite, Some((640, 480)));
            let style = Some("a b");
            let painted = PaintedWith {
                style: Some(NetworkOf::new("a b", &parts, model).as_painted()),
                mode: None,
                working,
                detail: None,
                look,
                steadiness: None,
                source: None,
                device: None,
            };
            let texts = painted.texts().into_iter().map(|(name, text)| (name.to_owned(), text));
            let found = of_painting(&texts.collect::<Vec<_>>(), &before).expect("a style");
            assert_eq!((found.style(), found.look), (style, look));
            assert_eq!((found.parts(), BRUSHES_PX[found.brush]), (parts.clone(), 640));
            let expected = if parts.is_empty() { model } else { before.model };
            assert_eq!(found.model, expected);
        }
        let texts = [(STYLE, "a full"), (WORKING_SIZE, "640 x 480 px"), (DETAIL, DEFAULT)]
            .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let brush = |texts: &[_]| of_painting(texts, &before).expect("a style").brush;
        assert_eq!((brush(&texts), BRUSHES_PX[brush(&texts[..2])]), (DEFAULT_BRUSH, 640));
        // Of a file or of pictures, which have no size.
        let sizeless = of_painting(&[(STYLE.to_owned(), "a".to_owned())], &before);
        assert_eq!(sizeless.as_ref().and_then(Choice::style), Some("a"));
        assert_eq!(of_painting(&[], &before), None);
        let mixed = |text: &str| of_painting(&[(MIX.to_owned(), text.to_owned())], &before);
        assert!(mixed("a 40 %, b 30 %, c 20 %, d 10 %").is_some());
        for other in ["a 40 %, b 30 %, c 20 %, d 5 %, e 5 %", "a 50 %, a 50 %", "a 200 %"] {
            assert_eq!(mixed(other), None, "{other}");
        }
    }
}
