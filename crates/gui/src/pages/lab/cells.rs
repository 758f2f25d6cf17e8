//! Lines of aligned cells: truncated texts, right-aligned numbers, bars.

use eframe::egui::{Align, Color32, Rangef, Rect, Response, Role, Sense, Ui, vec2};

use egui_plot::Plot;

use crate::widgets::{
    texture::cut_line,
    theme::{self, palette},
};

/// Height of a line, in points.
pub const ROW_HEIGHT: f32 = 20.0;
/// Space between two cells, in points.
pub const CELL_GAP: f32 = 10.0;

/// A line that is being drawn.
pub struct Line<'a> {
    ui: &'a Ui,
    rect: Rect,
}

impl<'a> Line<'a> {
    /// Allocates a line of this width in `ui`, with `words` for screen readers.
    pub fn new(ui: &'a mut Ui, width: f32, words: String) -> (Self, Response) {
        let (rect, response) = ui.allocate_exact_size(vec2(width, ROW_HEIGHT), Sense::hover());
        theme::named(&response, Role::Label, &words);
        if response.hovered() {
            let fill = ui.visuals().widgets.hovered.weak_bg_fill;
            ui.painter().rect_filled(rect.expand2(vec2(4.0, 0.0)), 3.0, fill);
        }
        (Self { ui, rect }, response)
    }

    /// The rectangle of a cell; `x` is relative to the left end of the line.
    pub fn cell(&self, x: Rangef) -> Rect {
        let left = self.rect.left();
        Rect::from_x_y_ranges(left + x.min..=left + x.max, self.rect.y_range())
    }

    /// The default text colour.
    pub fn plain(&self) -> Color32 {
        self.ui.visuals().text_color()
    }

    /// The colour of less important text.
    pub fn quiet(&self) -> Color32 {
        palette(self.ui).quiet
    }

    /// Writes a text, truncated with an ellipsis if it is too long.
    pub fn text(&self, x: Rangef, text: &str, align: Align, color: Color32) {
        let cell = self.cell(x);
        let galley = cut_line(self.ui, text.to_owned(), color, cell.width());
        let free = vec2(cell.width() - galley.size().x, cell.height() - galley.size().y);
        let share = match align {
            Align::Min => 0.0,
            Align::Center => 0.5,
            Align::Max => 1.0,
        };
        self.ui.painter().galley(cell.min + vec2(free.x * share, free.y / 2.0), galley, color);
    }

    /// Draws a bar over a part of the cell; `from` and `to` are shares of its width.
    pub fn bar(&self, x: Rangef, from: f32, to: f32, color: Color32) {
        let track = self.cell(x).shrink2(vec2(0.0, 6.0));
        let place = |share: f32| track.left() + track.width() * share.clamp(0.0, 1.0);
        let mut bar = Rect::from_x_y_ranges(place(from)..=place(to), track.y_range());
        // A bar is always wide enough to be visible.
        bar.max.x = bar.max.x.max(bar.min.x + 1.5);
        self.ui.painter().rect_filled(bar, 2.0, color);
    }

    /// Draws the background of bars.
    pub fn track(&self, x: Rangef) {
        let rect = self.cell(x).shrink2(vec2(0.0, 6.0));
        self.ui.painter().rect_filled(rect, 2.0, palette(self.ui).outline.gamma_multiply(0.45));
    }
}

/// The text of a cell; a dash without a value.
pub fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

/// A plot that is not changed by the mouse, except by dragging and pinching.
pub fn plot<'a>(ui: &Ui, name: &str) -> Plot<'a> {
    Plot::new(name)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .show_background(false)
        .show_x(false)
        .grid_color(palette(ui).quiet)
}

/// The colour of steps that compute, and of those that only move or normalize data.
pub fn step_color(ui: &Ui, computes: bool) -> Color32 {
    let palette = palette(ui);
    if computes { palette.accent } else { palette.notice }
}

/// The legend of the steps' colours.
pub fn step_legend(ui: &mut Ui) {
    ui.horizontal(|ui| {
        for (computes, name) in [(true, "Convolution"), (false, "Data movement and normalisation")]
        {
            let (rect, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
            ui.painter().rect_filled(rect, 2.0, step_color(ui, computes));
            theme::caption(ui, name);
        }
    });
}
