//! The window's fonts and icons: Inter in two weights with tabular figures, and some icons of Phosphor.
//!
//! Made by `tools/fonts.sh`. egui's own fonts are the fallback for characters that this subset of Inter does not have.

use std::sync::Arc;

use eframe::egui::{Context, FontData, FontDefinitions, FontFamily, FontTweak};

use media::canvas;

/// The font family of headings.
const SEMIBOLD: &str = "Inter SemiBold";

/// Icons; each is one character.
pub mod icons {
    /// Open a picture.
    pub const IMAGE: &str = "\u{E2CA}";
    /// Paste.
    pub const CLIPBOARD: &str = "\u{E196}";
    pub const FOLDER: &str = "\u{E256}";
    pub const UNDO: &str = "\u{E08A}";
    pub const REDO: &str = "\u{E08C}";
    /// Settings.
    pub const GEAR: &str = "\u{E272}";
    /// Keyboard shortcuts.
    pub const KEYBOARD: &str = "\u{E2D8}";
    /// About the program.
    pub const INFO: &str = "\u{E2CE}";
    /// A capturing camera.
    pub const VIDEO: &str = "\u{E4DA}";
    /// Camera out.
    pub const BROADCAST: &str = "\u{E0F2}";
    pub const RECORD: &str = "\u{E3EE}";
    /// Sound is recorded.
    pub const MICROPHONE: &str = "\u{E326}";
    /// Freeze the picture.
    pub const PAUSE: &str = "\u{E39E}";
    /// Resume.
    pub const PLAY: &str = "\u{E3D0}";
    /// All styles at once.
    pub const GRID: &str = "\u{E464}";
    /// Two pictures side by side.
    pub const SPLIT: &str = "\u{E870}";
    /// The Lab.
    pub const FLASK: &str = "\u{E79E}";
    pub const FULL_SCREEN: &str = "\u{E0A2}";
    /// Mirror horizontally.
    pub const MIRROR: &str = "\u{ED6A}";
    /// Add.
    pub const PLUS: &str = "\u{E3D4}";
    pub const SAVE: &str = "\u{E248}";
    pub const CHECK: &str = "\u{E182}";
    pub const COPY: &str = "\u{E1CA}";
    /// Close or remove.
    pub const CLOSE: &str = "\u{E4F6}";
    /// The painting controls.
    pub const SLIDERS: &str = "\u{E434}";
    /// The sample.
    pub const SPARKLE: &str = "\u{E6A2}";
    pub const TURN_LEFT: &str = "\u{E038}";
    pub const TURN_RIGHT: &str = "\u{E036}";
    pub const CROP: &str = "\u{E1D4}";
    /// Recently opened.
    pub const RECENT: &str = "\u{E1A0}";
}

/// The font family of headings and emphasized text.
pub fn semibold() -> FontFamily {
    FontFamily::Name(SEMIBOLD.into())
}

/// Installs the fonts.
pub fn install(ctx: &Context) {
    const INTER: &str = "Inter";
    const ICONS: &str = "Phosphor";
    let mut fonts = FontDefinitions::default();
    for (name, data) in [
        (INTER, FontData::from_static(canvas::INTER)),
        (
            SEMIBOLD,
            FontData::from_static(include_bytes!("../../../../assets/fonts/Inter-SemiBold.ttf")),
        ),
        (
            ICONS,
            FontData::from_static(include_bytes!("../../../../assets/fonts/Phosphor.ttf")).tweak(
                FontTweak {
                    // Next to text, the icons are too high and look small.
                    scale: 1.15,
                    y_offset_factor: 0.02,
                    ..FontTweak::default()
                },
            ),
        ),
    ] {
        fonts.font_data.insert(name.to_owned(), Arc::new(data));
    }
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    for (family, own) in [
        (FontFamily::Proportional, &[INTER, ICONS][..]),
        // Characters that it lacks, for example Greek ones in a title, are shown in the regular weight.
        (semibold(), &[SEMIBOLD, ICONS, INTER]),
    ] {
        let own = own.iter().map(|&name| name.to_owned());
        fonts.families.insert(family, own.chain(fallback.iter().cloned()).collect());
    }
    ctx.set_fonts(fonts);
}

#[cfg(test)]
mod tests {
    use eframe::egui::{FontId, RawInput, TextStyle, Theme};

    use super::*;
    use crate::widgets::theme;

    #[test]
    fn headings_in_greek_and_cyrillic_are_in_the_same_letters() {
        let ctx = Context::default();
        theme::install(&ctx);
        let mut output = ctx.run_ui(RawInput::default(), |_| {});
        output.textures_delta.clear();
        let width = |family, letter| {
            let font = FontId::new(20.0, family);
            ctx.fonts_mut(|fonts| fonts.glyph_width(&font, letter))
        };
        for letter in ['Ω', 'Ж', 'я'] {
            let regular = width(FontFamily::Proportional, letter);
            assert!(regular > 5.0);
            assert_eq!(width(semibold(), letter), regular, "{letter}");
        }
        assert_ne!(width(semibold(), 'm'), width(FontFamily::Proportional, 'm'));
    }

    #[test]
    fn figures_do_not_jump_when_they_change() {
        let ctx = Context::default();
        theme::install(&ctx);
        let mut output = ctx.run_ui(RawInput::default(), |_| {});
        output.textures_delta.clear();
        let styles = ctx.style_of(Theme::Dark).text_styles.clone();
        for (style, points) in [(TextStyle::Body, 13.0), (TextStyle::Small, 12.0)] {
            assert_eq!(styles[&style].size, points);
            for family in [FontFamily::Proportional, semibold()] {
                let font = FontId::new(points, family);
                let advance = |c| ctx.fonts_mut(|fonts| fonts.glyph_width(&font, c));
                let zero = advance('0');
                assert!(zero > 0.0 && advance('i') < zero, "{font:?}: other letters are narrower");
                for digit in '1'..='9' {
                    assert_eq!(advance(digit), zero, "{digit} in {font:?}");
                }
            }
        }
    }
}
