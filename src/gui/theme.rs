//! Colours, spacing and letters of the window, dark and light.

use eframe::egui::{
    self, Color32, Context, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Theme,
    ThemePreference, Visuals, vec2,
};

use crate::settings::ThemeChoice;

/// Space between things that belong together, in points.
pub const GAP: f32 = 8.0;
/// Space between groups, in points.
pub const GROUP_GAP: f32 = 18.0;
/// Roundness of cards and buttons, in points.
pub const RADIUS: u8 = 6;

/// The colours that egui's own set does not name.
#[derive(Clone, Copy)]
pub struct Palette {
    /// Behind the picture.
    pub stage: Color32,
    /// What draws the eye: the chosen style, the main button.
    pub accent: Color32,
    /// Letters on the accent.
    pub on_accent: Color32,
    /// Cards and chips over the stage.
    pub card: Color32,
    /// Outline of cards.
    pub outline: Color32,
    /// Quiet letters.
    pub quiet: Color32,
    /// Something went wrong.
    pub error: Color32,
    /// Something to know.
    pub notice: Color32,
}

const DARK: Palette = Palette {
    stage: Color32::from_rgb(20, 21, 23),
    accent: Color32::from_rgb(224, 152, 74),
    on_accent: Color32::from_rgb(32, 22, 10),
    card: Color32::from_rgb(43, 45, 49),
    outline: Color32::from_rgb(62, 65, 70),
    quiet: Color32::from_rgb(160, 164, 171),
    error: Color32::from_rgb(232, 98, 88),
    notice: Color32::from_rgb(109, 168, 222),
};

const LIGHT: Palette = Palette {
    stage: Color32::from_rgb(222, 219, 213),
    accent: Color32::from_rgb(176, 92, 30),
    on_accent: Color32::from_rgb(255, 250, 244),
    card: Color32::from_rgb(255, 254, 251),
    outline: Color32::from_rgb(208, 203, 194),
    quiet: Color32::from_rgb(99, 96, 90),
    error: Color32::from_rgb(184, 48, 40),
    notice: Color32::from_rgb(38, 98, 158),
};

/// The colours of the theme in use.
pub fn palette(visuals: &Visuals) -> Palette {
    if visuals.dark_mode { DARK } else { LIGHT }
}

/// Sets up both themes once.
pub fn install(ctx: &Context) {
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(theme);
            style.animation_time = 0.08;
            style.interaction.selectable_labels = false;
            let spacing = &mut style.spacing;
            spacing.item_spacing = vec2(GAP, GAP);
            spacing.button_padding = vec2(12.0, 6.0);
            spacing.interact_size = vec2(40.0, 28.0);
            spacing.slider_rail_height = 4.0;
            spacing.window_margin = Margin::same(20);
            spacing.menu_margin = Margin::same(8);
            spacing.tooltip_width = 320.0;
            // Scroll bars beside their content and always there: without a bar nobody looks for more.
            spacing.scroll = egui::style::ScrollStyle {
                bar_width: 8.0,
                ..egui::style::ScrollStyle::thin()
            };
            let letters = |size| FontId::new(size, FontFamily::Proportional);
            style.text_styles.insert(TextStyle::Body, letters(14.0));
            style.text_styles.insert(TextStyle::Button, letters(14.0));
            style.text_styles.insert(TextStyle::Small, letters(12.0));
            style.text_styles.insert(TextStyle::Heading, letters(20.0));
        });
    }
    ctx.options_mut(|options| {
        // Plus and minus with Ctrl belong to the picture.
        options.zoom_with_keyboard = false;
        options.fallback_theme = Theme::Dark;
    });
}

/// Follows the person's choice.
pub fn apply(ctx: &Context, choice: ThemeChoice) {
    ctx.set_theme(match choice {
        ThemeChoice::System => ThemePreference::System,
        ThemeChoice::Dark => ThemePreference::Dark,
        ThemeChoice::Light => ThemePreference::Light,
    });
}

fn visuals(theme: Theme) -> Visuals {
    let (mut v, p) = match theme {
        Theme::Dark => (Visuals::dark(), DARK),
        Theme::Light => (Visuals::light(), LIGHT),
    };
    let (panel, text, strong, button, hovered, well) = match theme {
        Theme::Dark => (
            Color32::from_rgb(31, 32, 35),
            Color32::from_rgb(214, 216, 220),
            Color32::from_rgb(245, 246, 248),
            Color32::from_rgb(52, 54, 59),
            Color32::from_rgb(66, 69, 75),
            Color32::from_rgb(74, 77, 84),
        ),
        Theme::Light => (
            Color32::from_rgb(246, 244, 240),
            Color32::from_rgb(52, 50, 46),
            Color32::from_rgb(20, 19, 17),
            Color32::from_rgb(231, 227, 220),
            Color32::from_rgb(219, 214, 205),
            Color32::from_rgb(205, 199, 189),
        ),
    };
    v.panel_fill = panel;
    v.window_fill = p.card;
    v.extreme_bg_color = p.stage;
    v.window_stroke = Stroke::new(1.0, p.outline);
    v.window_corner_radius = CornerRadius::same(10);
    v.menu_corner_radius = CornerRadius::same(RADIUS);
    v.hyperlink_color = p.notice;
    v.error_fg_color = p.error;
    v.warn_fg_color = p.accent;
    v.slider_trailing_fill = true;
    v.selection.bg_fill = p.accent;
    v.selection.stroke = Stroke::new(1.0, p.on_accent);
    v.weak_text_color = Some(p.quiet);
    let w = &mut v.widgets;
    w.noninteractive.bg_stroke = Stroke::new(1.0, p.outline.gamma_multiply(0.6));
    w.noninteractive.fg_stroke = Stroke::new(1.0, text);
    for (state, fill, letters) in [
        (&mut w.inactive, button, text),
        (&mut w.hovered, hovered, strong),
        (&mut w.active, hovered, strong),
        (&mut w.open, hovered, strong),
    ] {
        // Rails and boxes, which have no letters to be seen by.
        state.bg_fill = well;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::NONE;
        state.fg_stroke = Stroke::new(1.5, letters);
        state.corner_radius = CornerRadius::same(RADIUS);
        state.expansion = 0.0;
    }
    w.noninteractive.corner_radius = CornerRadius::same(RADIUS);
    v
}

/// The button that a person most likely wants.
pub fn main_button(ui: &egui::Ui, text: &str) -> egui::Button<'static> {
    let p = palette(ui.visuals());
    egui::Button::new(egui::RichText::new(text).color(p.on_accent).strong()).fill(p.accent)
}

/// The name of a group of controls.
pub fn group_title(ui: &mut egui::Ui, text: &str) {
    ui.label(egui::RichText::new(text).strong().size(13.0));
}

/// A quiet line below a control.
pub fn caption(ui: &mut egui::Ui, text: impl Into<String>) {
    let color = palette(ui.visuals()).quiet;
    ui.label(egui::RichText::new(text).small().color(color));
}

/// A small ring that closes as work is done: no animation, so that the work keeps the processor.
pub fn progress_ring(ui: &egui::Ui, center: egui::Pos2, share: f32) {
    const RADIUS: f32 = 6.0;
    const POINTS: usize = 32;
    let p = palette(ui.visuals());
    let painter = ui.painter();
    painter.circle_stroke(center, RADIUS, Stroke::new(2.0, p.outline));
    let turn = share.clamp(0.05, 1.0) * std::f32::consts::TAU;
    let points = (0..=POINTS)
        .map(|i| {
            let angle = turn * i as f32 / POINTS as f32 - std::f32::consts::FRAC_PI_2;
            center + RADIUS * vec2(angle.cos(), angle.sin())
        })
        .collect();
    painter.line(points, Stroke::new(2.0, p.accent));
}
