//! The button that starts a recording, and shows the progress of the current one.

use std::time::{Duration, Instant};

use eframe::egui::{self, Button, Stroke};

use super::LiveView;
use crate::{
    gui::{fonts::icons, intent::Intent, shortcuts, theme},
    media::record::{Recorder, length_in_words, pictures, size_in_words},
};

/// Minimum size of a recording that is shown, in bytes.
const MIN_BYTES_SHOWN: u64 = 100_000;

/// The progress of a recording, as text.
fn progress(recorder: &Recorder, length: Duration) -> String {
    let mut words = vec![length_in_words(length)];
    if !recorder.is_video() {
        words.push(pictures(recorder.written()));
    }
    // Before that, the encoder has hardly written anything.
    if recorder.bytes() >= MIN_BYTES_SHOWN {
        words.push(size_in_words(recorder.bytes()));
    }
    words.join(", ")
}

impl LiveView {
    /// Starts or stops a recording, and shows its progress.
    pub(super) fn record_button(&self, ui: &mut egui::Ui, has_words: bool) {
        let colors = theme::palette(ui);
        let recorded = self.recorded_length(Instant::now());
        let is_recording = recorded.is_some();
        let mut name = "Record".to_owned();
        let mut spoken = name.clone();
        if let Some(length) = recorded {
            let recorder =
                self.recording.as_ref().and_then(|recording| recording.recorder.as_ref());
            let progress = match recorder {
                Some(recorder) => progress(recorder, length),
                None => length_in_words(length),
            };
            name = if has_words { format!("Stop  {progress}") } else { length_in_words(length) };
            spoken = format!("Stop recording, {progress}");
        } else if !has_words {
            name.clear();
        }
        let mut text = egui::text::LayoutJob::default();
        let body = egui::TextStyle::Button.resolve(ui.style());
        let letters = ui.visuals().text_color();
        let dot = egui::TextFormat::simple(body.clone(), colors.recording);
        text.append(icons::RECORD, 0.0, dot);
        if !name.is_empty() {
            text.append(&name, 6.0, egui::TextFormat::simple(body, letters));
        }
        let mut button = Button::selectable(is_recording, text);
        if is_recording {
            // Visible from a distance.
            let fill = colors.recording.gamma_multiply(theme::RECORDING_FILL);
            button = button.fill(fill).stroke(Stroke::new(1.0, colors.recording));
        }
        let does =
            if is_recording { "Stop recording." } else { "Record a video, or a folder of images." };
        shortcuts::button(ui, true, button, [&spoken, does], Intent::ToggleRecording);
    }
}
