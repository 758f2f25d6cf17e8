//! Colours, spacing and text styles of the window, dark and light.

use std::ops::RangeInclusive;

use eframe::egui::{
    self, Align, Align2, Button, Color32, Context, CornerRadius, DragValue, FontFamily, FontId,
    Frame, Id, Key, Label, Layout, Margin, Order, Pos2, Rangef, Rect, Response, RichText, Role,
    Stroke, TextStyle, Theme, ThemePreference, Ui, Visuals, WidgetInfo,
    accesskit::Action,
    emath::Numeric,
    style::{ScrollAnimation, ScrollStyle},
    vec2,
};

use super::fonts;
pub use super::key_chips::ColumnTooltip;
use settings::ThemeChoice;

#[cfg(test)]
mod tests;

/// Space between related widgets, in points.
pub const GAP: f32 = 8.0;
/// Space between groups, in points.
pub const GROUP_GAP: f32 = 16.0;
/// Space between a card over the picture and the picture's edges, in points.
const INSET: f32 = 16.0;
/// Width of the gallery, in points.
pub const GALLERY_WIDTH: f32 = 212.0;
/// Width of the controls, in points.
pub const CONTROLS_WIDTH: f32 = 280.0;
/// Width of the name next to a control, in points.
const NAME_WIDTH: f32 = 88.0;
/// Width of a slider's number, in points.
const NUMBER_WIDTH: f32 = 64.0;
/// Height of a slider, and of the line with its name and number above it, in points.
const SLIDER_LINE: f32 = 22.0;
/// Opacity of the recording colour on the button that stops the recording.
pub const RECORDING_FILL: f32 = 0.45;
/// Corner radius of cards and buttons, in points.
pub const RADIUS: u8 = 6;

/// The colours that egui's own set does not name.
#[derive(Clone, Copy)]
pub struct Palette {
    /// Background of the picture.
    pub stage: Color32,
    /// For elements that attract attention, and nothing else: the main button, a slider's fill, progress.
    pub accent: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Cards and chips over the stage.
    pub card: Color32,
    /// Outline of cards.
    pub outline: Color32,
    /// Selected elements: neutral, so that the painting is the only colourful element.
    pub selected: Color32,
    /// The frame around the focused control.
    pub ring: Color32,
    /// Secondary text.
    pub quiet: Color32,
    /// Capturing and recording.
    pub recording: Color32,
    pub error: Color32,
    pub notice: Color32,
}

/// The colour `0xrr_gg_bb`.
const fn rgb(hex: u32) -> Color32 {
    let [_, r, g, b] = hex.to_be_bytes();
    Color32::from_rgb(r, g, b)
}

const DARK: Palette = Palette {
    stage: rgb(0x14_15_17),
    accent: rgb(0xe0_98_4a),
    on_accent: rgb(0x20_16_0a),
    card: rgb(0x2b_2d_31),
    outline: rgb(0x3e_41_46),
    selected: rgb(0x54_57_5e),
    ring: rgb(0xde_e0_e4),
    quiet: rgb(0xb0_b4_bb),
    recording: rgb(0xf4_68_62),
    error: rgb(0xf3_7e_74),
    notice: rgb(0x6d_a8_de),
};

const LIGHT: Palette = Palette {
    stage: rgb(0xde_db_d5),
    accent: rgb(0x96_4a_14),
    on_accent: rgb(0xff_fa_f4),
    card: rgb(0xff_fe_fb),
    outline: rgb(0xd0_cb_c2),
    selected: rgb(0xc9_c4_bb),
    ring: rgb(0x34_32_2e),
    quiet: rgb(0x5c_59_54),
    recording: rgb(0xba_24_1e),
    error: rgb(0xac_26_20),
    notice: rgb(0x26_62_9e),
};

/// The colours of the current theme.
pub fn palette(ui: &Ui) -> Palette {
    palette_of(ui.visuals())
}

/// The colours of a theme.
pub fn palette_of(visuals: &Visuals) -> Palette {
    if visuals.dark_mode { DARK } else { LIGHT }
}

/// Sets up both themes once.
pub fn install(ctx: &Context) {
    fonts::install(ctx);
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(theme);
            style.animation_time = ANIMATION_SECONDS;
            style.interaction.selectable_labels = false;
            let spacing = &mut style.spacing;
            spacing.item_spacing = vec2(GAP, GAP);
            spacing.button_padding = vec2(12.0, 6.0);
            spacing.interact_size = vec2(40.0, 28.0);
            spacing.slider_rail_height = 4.0;
            // Long lists scroll; those of formats and sizes fit.
            spacing.combo_height = 400.0;
            spacing.window_margin = Margin::same(20);
            spacing.menu_margin = Margin::same(8);
            spacing.tooltip_width = 320.0;
            // Scroll bars are next to their content and always visible; otherwise users do not notice that there is
            // more.
            spacing.scroll = ScrollStyle { bar_width: 8.0, ..ScrollStyle::thin() };
            let letters = |size| FontId::new(size, FontFamily::Proportional);
            style.text_styles.extend([
                (TextStyle::Body, letters(13.0)),
                (TextStyle::Button, letters(13.0)),
                (TextStyle::Small, letters(12.0)),
                (TextStyle::Heading, FontId::new(20.0, fonts::semibold())),
            ]);
        });
    }
    ctx.options_mut(|options| {
        // Ctrl with plus and minus zooms the picture.
        options.zoom_with_keyboard = false;
        options.fallback_theme = Theme::Dark;
    });
}

/// Applies the user's choice of theme.
pub fn apply(ctx: &Context, choice: ThemeChoice) {
    ctx.set_theme(match choice {
        ThemeChoice::System => ThemePreference::System,
        ThemeChoice::Dark => ThemePreference::Dark,
        ThemeChoice::Light => ThemePreference::Light,
    });
}

/// How long controls take to change, in seconds.
const ANIMATION_SECONDS: f32 = 0.08;

/// Sets whether anything fades, slides or blinks.
pub fn reduce_motion(ctx: &Context, reduces: bool) {
    ctx.all_styles_mut(|style| {
        style.animation_time = if reduces { 0.0 } else { ANIMATION_SECONDS };
        style.scroll_animation =
            if reduces { ScrollAnimation::none() } else { ScrollAnimation::default() };
        style.visuals.text_cursor.blink = !reduces;
    });
}

pub fn reduces_motion(ctx: &Context) -> bool {
    ctx.global_style().animation_time == 0.0
}

/// `seconds`, the length of a fade; 0 if motion is reduced.
pub fn fade_seconds(ctx: &Context, seconds: f32) -> f32 {
    if reduces_motion(ctx) { 0.0 } else { seconds }
}

/// egui's settings for the appearance of a theme.
pub fn visuals(theme: Theme) -> Visuals {
    let (mut v, p) = match theme {
        Theme::Dark => (Visuals::dark(), DARK),
        Theme::Light => (Visuals::light(), LIGHT),
    };
    let (panel, text, strong, button, hovered, well) = match theme {
        Theme::Dark => (
            rgb(0x1f_20_23),
            rgb(0xd6_d8_dc),
            rgb(0xf5_f6_f8),
            rgb(0x34_36_3b),
            rgb(0x42_45_4b),
            rgb(0x4a_4d_54),
        ),
        Theme::Light => (
            rgb(0xf6_f4_f0),
            rgb(0x34_32_2e),
            rgb(0x14_13_11),
            rgb(0xe7_e3_dc),
            rgb(0xdb_d6_cd),
            rgb(0xcd_c7_bd),
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
    v.selection.bg_fill = p.selected;
    v.selection.stroke = Stroke::new(1.0, strong);
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
        // Rails and boxes have no text, so their fill must be visible.
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

/// The primary button; looks like any other button if not `can`.
pub fn main_button(ui: &Ui, text: &str, can: bool) -> Button<'static> {
    let p = palette(ui);
    let letters = heading(text);
    if can { Button::new(letters.color(p.on_accent)).fill(p.accent) } else { Button::new(letters) }
}

/// A button of a setting that is on or off, or of one of several choices.
pub fn toggle<'a>(is_on: bool, text: impl Into<egui::WidgetText>) -> Button<'a> {
    Button::selectable(is_on, text.into()).frame_when_inactive(true)
}

/// A button of the height of those below the picture.
pub fn tall(button: Button<'_>) -> Button<'_> {
    button.min_size(vec2(0.0, 32.0))
}

/// A button with an icon, and its name if `has_words`.
pub fn icon_button(icon: &str, name: &str, has_words: bool) -> Button<'static> {
    Button::new(icon_text(icon, name, has_words))
}

/// An icon, and a name if `has_words`.
pub fn icon_text(icon: &str, name: &str, has_words: bool) -> String {
    if has_words { format!("{icon} {name}") } else { icon.to_owned() }
}

/// Draws `contents` as buttons close to each other in a line, with this padding of their texts.
pub fn bar(ui: &mut Ui, padding: f32, contents: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = padding;
        contents(ui);
    });
}

/// Draws `contents` at the right end of a line, from left to right, so that Tab moves through it as it is read. If it
/// does not fit into a line that wraps, it is on the next one.
pub fn at_the_right(ui: &mut Ui, name: &str, contents: impl FnOnce(&mut Ui)) {
    let id = ui.scope_id().with(name);
    let before: Option<f32> = ui.data(|d| d.get_temp(id));
    let room = |ui: &Ui| ui.available_size_before_wrap().x - before.unwrap_or(0.0);
    if room(ui) < 0.0 {
        ui.end_row();
    }
    ui.add_space(room(ui).max(0.0));
    let shown = if ui.layout().main_wrap() {
        let rest = vec2(ui.available_size_before_wrap().x, ui.cursor().height());
        ui.allocate_ui_with_layout(rest, Layout::left_to_right(Align::Center), contents)
    } else {
        ui.scope(contents)
    };
    let width = shown.response.rect.width();
    if before != Some(width) {
        ui.data_mut(|d| d.insert_temp(id, width));
        ui.request_discard("the width of what stands at the right");
    }
}

/// Draws a line whose texts are longer if there is room. `longer` are the widths that longer texts add, in points, the
/// most useful ones first; `contents` gets how many of them fit, and returns the width of the line without them.
pub fn fitted<const N: usize>(
    ui: &mut Ui,
    name: &str,
    longer: [f32; N],
    contents: impl FnOnce(&mut Ui, usize) -> f32,
) {
    let id = Id::unique(name);
    let before: f32 = ui.data(|d| d.get_temp(id)).unwrap_or_default();
    let mut room = ui.available_width() - before;
    let fits = |width: &&f32| {
        room -= **width;
        room >= 0.0
    };
    let fitting = longer.iter().take_while(fits).count();
    let width = contents(ui, fitting);
    if (width - before).abs() > 0.5 {
        ui.data_mut(|d| d.insert_temp(id, width));
        ui.request_discard("another width of a line");
    }
}

/// Width of a button's text, in points.
pub fn text_width(ui: &Ui, text: &str) -> f32 {
    let font = egui::TextStyle::Button.resolve(ui.style());
    ui.painter().layout_no_wrap(text.to_owned(), font, Color32::WHITE).size().x
}

/// The title of a group of controls.
pub fn group_title(ui: &mut Ui, text: &str) {
    ui.label(heading(text).color(ui.visuals().strong_text_color()));
}

/// The text of a heading that folds the content below it when clicked.
pub fn heading(text: &str) -> RichText {
    RichText::new(text).family(fonts::semibold())
}

/// Controls that few users need: folded until they are opened.
pub fn advanced(ui: &mut Ui, contents: impl FnOnce(&mut Ui)) {
    egui::CollapsingHeader::new(heading("Advanced"))
        .id_salt("advanced")
        .show_unindented(ui, contents);
}

/// A line of secondary text below a control.
pub fn caption(ui: &mut Ui, text: impl Into<String>) {
    ui.label(small(ui, text));
}

/// Small secondary text.
pub fn small(ui: &Ui, text: impl Into<String>) -> RichText {
    RichText::new(text).small().color(palette(ui).quiet)
}

/// The text of a problem.
pub fn error(ui: &Ui, text: impl Into<String>) -> RichText {
    RichText::new(text).color(palette(ui).error)
}

/// A line of secondary text that is truncated if it is too long; its tooltip shows all of it.
pub fn cut_caption(ui: &mut Ui, text: impl Into<String>) {
    ui.add(Label::new(small(ui, text)).truncate());
}

/// A small button that resets a setting to its default; returns whether it was clicked.
pub fn reset_button(ui: &mut Ui, setting: &str) -> bool {
    ui.add(Button::new(RichText::new("Reset").small()).small())
        .on_hover_text("Use the default.")
        .accessible_name(format!("Reset {}", setting.to_lowercase()))
        .clicked()
}

/// A small card over the picture, at a corner, an edge or the middle of `area`; `name` must be unique.
pub fn floating(
    ui: &Ui,
    name: &str,
    pivot: Align2,
    area: Rect,
    contents: impl FnOnce(&mut Ui),
) -> Response {
    let at = pivot.pos_in_rect(&area.shrink(INSET));
    floating_at(ui, name, Order::Middle, (pivot, at, area), contents)
}

/// A small card at a position within an area.
pub fn floating_at(
    ui: &Ui,
    name: &str,
    order: Order,
    (pivot, at, area): (Align2, Pos2, Rect),
    contents: impl FnOnce(&mut Ui),
) -> Response {
    let colors = palette(ui);
    let frame = Frame::new()
        .fill(colors.card.gamma_multiply(0.94))
        .stroke(Stroke::new(1.0, colors.outline))
        .corner_radius(10)
        .inner_margin(Margin::symmetric(10, 7));
    egui::Area::new(Id::unique(name))
        .order(order)
        .pivot(pivot)
        .fixed_pos(at)
        .constrain_to(area)
        .show(ui, |ui| frame.show(ui, contents))
        .response
}

/// Names a widget that is not one of egui's for screen readers.
pub fn named(response: &Response, role: Role, name: &str) {
    response.widget_info(|| WidgetInfo::labeled(role, true, name));
}

/// Like [`named`], for a widget that can be selected.
pub fn named_choice(response: &Response, role: Role, is_selected: bool, name: &str) {
    response.widget_info(|| WidgetInfo::selected(role, true, is_selected, name));
}

/// Keeps arrow keys of these directions from moving the focus away from a widget.
pub fn hold_arrows(ui: &Ui, id: Id, horizontal_arrows: bool, vertical_arrows: bool) {
    let held = egui::EventFilter { horizontal_arrows, vertical_arrows, ..Default::default() };
    ui.memory_mut(|m| m.set_focus_lock_filter(id, held));
}

/// How far the arrow keys or a screen reader move a slider that is not one of egui's: steps to the right.
pub fn slider_steps(ui: &Ui, slider: &Response) -> f32 {
    let (more, less) = ui.input(|i| {
        (
            i.num_accesskit_action_requests(slider.id, Action::Increment),
            i.num_accesskit_action_requests(slider.id, Action::Decrement),
        )
    });
    let mut steps = more as f32 - less as f32;
    if slider.has_focus() {
        hold_arrows(ui, slider.id, true, false);
        steps += ui.input(|i| {
            i.num_presses(Key::ArrowRight) as f32 - i.num_presses(Key::ArrowLeft) as f32
        });
    }
    steps
}

/// A dashed frame that marks a drop target.
pub fn dashed(painter: &egui::Painter, rect: Rect, stroke: Stroke) {
    let right = rect.right_top();
    let left = rect.left_bottom();
    let corners = [rect.left_top(), right, rect.right_bottom(), left, rect.left_top()];
    painter.extend(egui::Shape::dashed_line(&corners, stroke, 8.0, 6.0));
}

/// A control with its name on the left. `contents` receives the name's id, from which screen readers get the control's
/// label.
pub fn row<R>(ui: &mut Ui, name: &str, contents: impl FnOnce(&mut Ui, Id) -> R) -> R {
    ui.horizontal(|ui| {
        let size = vec2(NAME_WIDTH, ui.spacing().interact_size.y);
        let label = ui
            .allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
                ui.set_width(NAME_WIDTH);
                ui.add(Label::new(name).truncate())
            })
            .inner;
        contents(ui, label.id)
    })
    .inner
}

/// The control of steadiness, which live pictures, films and exports share.
pub fn steadiness(ui: &mut Ui, percent: &mut u8) {
    slider(ui, "Steadiness", percent, 0..=100, 0, " %")
        .column_tooltip("Keeps the strokes where they are on moving things.");
}

/// The control of the quality of a lossy format.
pub fn quality(ui: &mut Ui, name: &str, quality: &mut u8, usual: u8) {
    slider(ui, name, quality, 1..=100, usual, "")
        .column_tooltip("Higher means better quality and larger files.");
}

/// A slider over the whole width, below its name and its number with a suffix; a double click or a button resets it to
/// `usual`.
pub fn slider<N: Numeric>(
    ui: &mut Ui,
    name: &str,
    value: &mut N,
    range: RangeInclusive<N>,
    usual: N,
    suffix: &str,
) -> Response {
    slider_with(ui, name, value, range, usual, |number| number.suffix(suffix))
}

/// Like [`slider`], with a number that `number` sets up.
pub fn slider_with<N: Numeric>(
    ui: &mut Ui,
    name: &str,
    value: &mut N,
    range: RangeInclusive<N>,
    usual: N,
    number: impl FnOnce(DragValue<'_>) -> DragValue<'_>,
) -> Response {
    let can_reset = ui.is_enabled() && *value != usual;
    let reset = |ui: &mut Ui| can_reset && reset_button(ui, name);
    slider_with_button(ui, name, value, range, usual, number, reset)
}

/// Like [`slider_with`], with `button` left of the number, which returns whether to reset the value.
pub fn slider_with_button<N: Numeric>(
    ui: &mut Ui,
    name: &str,
    value: &mut N,
    range: RangeInclusive<N>,
    usual: N,
    number: impl FnOnce(DragValue<'_>) -> DragValue<'_>,
    button: impl FnOnce(&mut Ui) -> bool,
) -> Response {
    let id = ui.next_auto_id().with("is edited");
    if ui.data(|d| d.get_temp(id).unwrap_or(false)) {
        // A number field would accept letters and then discard them.
        ui.input_mut(|i| {
            i.events.retain(|event| match event {
                egui::Event::Text(text) => !text.contains(char::is_alphabetic),
                _ => true,
            });
        });
    }
    let lines = ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.spacing_mut().interact_size = vec2(NUMBER_WIDTH, SLIDER_LINE);
        ui.spacing_mut().button_padding.x = 6.0;
        let steps = range.end().to_f64() - range.start().to_f64();
        let field = DragValue::new(value)
            .range(range.clone())
            .speed(steps / f64::from(ui.available_width().max(1.0)));
        let right_to_left = Layout::right_to_left(Align::Center);
        let (field, name, is_reset) = ui
            .allocate_ui_with_layout(vec2(ui.available_width(), SLIDER_LINE), right_to_left, |ui| {
                let field = ui.add(number(field));
                let is_reset = button(ui);
                let left_to_right = Layout::left_to_right(Align::Center);
                let name = ui.with_layout(left_to_right, |ui| ui.add(Label::new(name).truncate()));
                (field, name.inner.id, is_reset)
            })
            .inner;
        let rail = rail(ui, value, range);
        (rail.labelled_by(name), field.labelled_by(name), is_reset)
    });
    let (rail, field, mut is_reset) = lines.inner;
    let has_focus = field.has_focus();
    ui.data_mut(|d| d.insert_temp(id, has_focus));
    // A double click in the number field selects its text, so check the rail only.
    let is_double = ui.input(|i| i.pointer.button_double_clicked(egui::PointerButton::Primary));
    is_reset |= is_double && rail.contains_pointer();
    let mut response = rail | field;
    if is_reset && *value != usual && response.enabled() {
        *value = usual;
        response.mark_changed();
    }
    response
}

/// A slider over the whole width, without name and number.
pub fn rail<N: Numeric>(ui: &mut Ui, value: &mut N, range: RangeInclusive<N>) -> Response {
    let ends = range.start().to_f64()..=range.end().to_f64();
    let mut rail = ui
        .scope(|ui| {
            ui.visuals_mut().selection.bg_fill = palette(ui).accent;
            ui.spacing_mut().slider_width = ui.available_width();
            ui.spacing_mut().interact_size.y = SLIDER_LINE;
            ui.add(egui::Slider::new(value, range).show_value(false))
        })
        .inner;
    // egui's slider only handles dragging, not a press and its release in the same frame.
    let tap = ui.input(|i| {
        let pointer = &i.pointer;
        pointer.interact_pos().filter(|_| pointer.any_pressed() && pointer.any_released())
    });
    if let Some(at) = tap.filter(|_| rail.contains_pointer() && rail.enabled()) {
        let track = rail_of(&rail);
        let track = f64::from(track.min)..=f64::from(track.max);
        *value = N::from_f64(egui::remap_clamp(f64::from(at.x), track, ends));
        rail.mark_changed();
    }
    rail
}

/// Where the handle of a slider moves.
pub fn rail_of(slider: &Response) -> Rangef {
    slider.rect.x_range().shrink(slider.rect.height() / 2.5)
}
