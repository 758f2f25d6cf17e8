//! The photo in every style as one picture: painted one style after the other in parallel with other work, then
//! written.
//!
//! Networks are read, pictures reduced and the sheet written in the background. The engine paints as it repaints live
//! frames. The sheet keeps its own photo, so the photo on the table may change in the meantime.

mod flow;

use std::{path::PathBuf, sync::Arc};

use eframe::egui::{self, Align2, ProgressBar, RichText, vec2};

use super::{choice::Choice, intent::Intent, shortcuts::plain_button, theme};
use crate::{frame::Frame, media::encode::Encoding};

/// Width of the card, in points.
const WIDTH: f32 = 334.0;

/// A sheet that is being made.
pub struct ContactSheet {
    /// The photo; at the working size once the first network is read.
    photo: Arc<Frame>,
    long_side_px: usize,
    /// How to paint: its look, mode and model size.
    choice: Choice,
    /// Ids and titles of the styles.
    styles: Vec<(String, String)>,
    /// Index of the style that is being painted.
    next: usize,
    /// Number of its newest job; distinguishes this sheet from earlier ones, whose tasks may still report.
    job: u64,
    /// The target, which does not exist yet.
    path: PathBuf,
    encoding: Encoding,
    /// Titles and small paintings, in their order.
    cells: Vec<(String, Frame)>,
    /// Styles that are not on the sheet, and why.
    failures: Vec<String>,
}

impl ContactSheet {
    /// Draws the card over the stage.
    pub fn ui(&self, ui: &egui::Ui, area: egui::Rect) {
        let total = self.styles.len();
        let place = (Align2::LEFT_TOP, area.left_top() + vec2(16.0, 16.0), area);
        theme::floating_window(ui, "contact sheet", place, WIDTH, |ui| {
            ui.label(RichText::new("Contact sheet").strong().size(16.0));
            theme::caption(
                ui,
                match self.styles.get(self.next) {
                    Some((_, style)) => format!(
                        "Painting the photo in {style}, {} of {total} styles",
                        self.next + 1
                    ),
                    None => format!("{total} of {total} styles, writing the file…"),
                },
            );
            let share = self.next as f32 / total.max(1) as f32;
            ui.add(ProgressBar::new(share).desired_height(8.0));
            plain_button(ui, "Cancel contact sheet", Intent::StopContactSheet);
        });
    }
}
