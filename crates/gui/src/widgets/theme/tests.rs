//! Checks that text is readable: its contrast with every background that it is used on, by WCAG 2.

use super::*;

/// The minimum that WCAG requires for text (level AA).
const MIN_CONTRAST: f32 = 4.5;

fn luminance(color: Color32) -> f32 {
    let [r, g, b] = [color.r(), color.g(), color.b()].map(|level| {
        let share = f32::from(level) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: Color32, b: Color32) -> f32 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    a.max(b) / a.min(b)
}

#[test]
fn letters_are_readable_on_every_background() {
    assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 0.01);
    let mut faint = Vec::new();
    for theme in [Theme::Dark, Theme::Light] {
        let v = visuals(theme);
        let p = palette_of(&v);
        let stage = ("the stage", p.stage);
        let panel = ("a panel", v.panel_fill);
        let card = ("a card", p.card);
        let button = ("a button", v.widgets.inactive.weak_bg_fill);
        let hovered = ("what is pointed at", v.widgets.hovered.weak_bg_fill);
        let selected = ("what is chosen", p.selected);
        let accent = ("the accent", p.accent);
        let mark = p.recording.gamma_multiply(RECORDING_FILL);
        let recording = ("what records", v.panel_fill.blend(mark));
        for (name, letters, grounds) in [
            ("text", v.text_color(), &[stage, panel, card, button, recording][..]),
            ("strong", v.strong_text_color(), &[stage, panel, card, button, hovered, selected]),
            ("quiet", p.quiet, &[stage, panel, card, button, hovered]),
            ("error", p.error, &[stage, panel, card, button]),
            ("link", p.notice, &[stage, panel, card]),
            ("accent", p.accent, &[panel, card, button]),
            ("on accent", p.on_accent, &[accent]),
            ("recording", p.recording, &[stage, panel, card]),
        ] {
            let found = grounds.iter().map(|(on, ground)| (*on, contrast(letters, *ground)));
            faint.extend(
                found
                    .filter(|(_, contrast)| *contrast < MIN_CONTRAST)
                    .map(|(on, contrast)| format!("{theme:?}: {name} on {on} {contrast:.2}")),
            );
        }
    }
    assert!(faint.is_empty(), "{faint:#?}");
}

#[test]
fn lists_of_formats_fit_without_scrolling() {
    let ctx = egui::Context::default();
    install(&ctx);
    let spacing = &ctx.global_style().spacing;
    let entry = spacing.interact_size.y + spacing.item_spacing.y;
    assert!(spacing.combo_height >= 8.0 * entry);
}
