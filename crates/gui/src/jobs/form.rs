//! The form of an export: file, codec, size and quality, with an estimate of time and file size.

use std::{path::PathBuf, sync::Arc};

use crossbeam_channel::Receiver;
use eframe::egui::{Key, Ui};

use super::{command::JobCommand, work::Export};
use crate::{
    choice::Choice,
    intent::{Command, ShellCommand},
    pages::photo::output_size::output_control,
    shell::shortcuts::plain_button,
    widgets::{
        label::{name_label, path_label, sentence},
        list::choose_row,
        theme::{self, caption},
    },
};
use backend::RunControl;
use engine::film::{Estimate, USUAL_QUALITY, bits_per_pixel};
use media::{
    film::{Codec, Container, OpenFilm},
    record::size_range,
};

/// Width of the form, in points.
pub const WIDTH: f32 = 440.0;
/// How long nothing must have changed before the export is measured, in seconds.
pub const MEASURE_AFTER: f64 = 0.3;

/// An export that the user has not confirmed yet.
pub struct Form {
    pub export: Export,
    pub film: Arc<OpenFilm>,
    /// How it is painted, as text.
    pub painting: String,
    /// What it takes, or when or why that is not known, as text.
    pub estimate: Result<Estimate, &'static str>,
    /// Once it has begun.
    pub measuring: Option<Measuring>,
    /// What is measured, and since when it is chosen, by egui's clock.
    chosen: Option<(Export, f64)>,
}

/// A measurement of what an export takes. Stops when dropped.
pub struct Measuring {
    pub control: Arc<RunControl>,
    pub found: Receiver<Result<Estimate, &'static str>>,
}

impl Drop for Measuring {
    fn drop(&mut self) {
        self.control.cancel();
    }
}

impl Form {
    pub fn new(export: Export, film: Arc<OpenFilm>, painting: String) -> Self {
        Self {
            export, film, painting, estimate: Err("measuring…"), measuring: None, chosen: None
        }
    }

    /// Takes the measurement, and stops it if something was changed or a job `works`. Returns whether to begin one.
    pub fn follow(&mut self, now: f64, works: bool) -> bool {
        // Not by the name of the file.
        let output = self.container().extension().into();
        let export = Export { output, replaces: false, ..self.export.clone() };
        if works || self.chosen.as_ref().is_none_or(|(chosen, _)| *chosen != export) {
            self.measuring = None;
            self.estimate = Err(if works { "measured when no job runs" } else { "measuring…" });
            self.chosen = Some((export, now));
        }
        if let Some(Ok(found)) = self.measuring.as_ref().map(|measuring| measuring.found.try_recv())
        {
            self.estimate = found;
        }
        let rests = self.chosen.as_ref().is_some_and(|(_, since)| now > since + MEASURE_AFTER);
        !works && rests && self.measuring.is_none()
    }

    fn container(&self) -> Container {
        Container::from_path(&self.export.output).unwrap_or(Container::Mp4)
    }

    /// Sets the file. Its extension decides the container; without a known one, that of the container is added.
    pub fn set_output(&mut self, mut output: PathBuf) {
        if Container::from_path(&output).is_none() {
            output.as_mut_os_string().push(format!(".{}", self.container().extension()));
        }
        self.export.output = output;
    }

    /// Width and height of the stored frames after rotating and cropping.
    pub fn size(&self) -> (usize, usize) {
        let stored = self.film.stored_size();
        self.export.framing.scaled(self.film.size, stored).size(stored)
    }

    /// The number of frames to export, if it is known.
    pub fn frames(&self) -> Option<u64> {
        self.export.range.frames_of(&self.film.clip, None)
    }

    /// About how long the export takes, and how large the file gets, as text.
    fn estimate(&self, (width, height): (usize, usize)) -> String {
        let Some(frames) = self.frames() else {
            return "The length of the video is not known.".to_owned();
        };
        let pixels = frames as f64 * width as f64 * height as f64;
        let bits = bits_per_pixel(self.container(), self.export.codec, self.export.quality);
        let (time, bytes) = match &self.estimate {
            Ok(estimate) => (format!("about {}", estimate.time_text()), estimate.bytes),
            Err(why) => (format!("time: {why}"), bits.map(|bits| (bits * pixels / 8.0) as u64)),
        };
        let size = size_range(bytes).replace(' ', "\u{a0}");
        let seconds = frames as f64 * self.film.frame_seconds();
        format!("{seconds:.1} s ({frames} frames) · {time} · {size}")
    }

    /// Draws the form; `is_taken` if another job writes its file, `is_fresh` if it has just appeared.
    pub fn ui(&mut self, ui: &mut Ui, is_taken: bool, is_fresh: bool) {
        ui.heading("Export video");
        let OpenFilm { clip, tools, .. } = &*self.film;
        let (width, height) = self.size();
        let name = name_label(&self.export.source);
        caption(ui, format!("{name}, {width} × {height} px"));
        caption(ui, self.painting.as_str());
        ui.add_space(theme::GAP);
        theme::row(ui, "File", |ui, _| {
            plain_button(ui, "Change…", JobCommand::AskFile);
            theme::cut_caption(ui, path_label(&self.export.output));
        });
        let mut container = self.container();
        choose_row(ui, "Format", &mut container, Container::ALL, Container::name);
        if container != self.container() {
            self.export.output.set_extension(container.extension());
            self.export.replaces = false;
        }
        let mut choice = Choice::from_settings(&self.export.choices);
        let size = self.size();
        output_control(ui, &mut choice, Some(size));
        self.export.choices.output = choice.output;
        let output = choice.output.resolve(size, choice.working_size().resolve(size.0, size.1));
        let codecs = container.codecs(tools, output);
        let export = &mut self.export;
        if !codecs.contains(&export.codec) {
            let usual = container.usual_codec();
            export.codec =
                *codecs.iter().find(|codec| **codec == usual).or(codecs.first()).unwrap_or(&usual);
        }
        let can_choose = codecs.len() > 1;
        let mut notes = Vec::new();
        let problem = if codecs.is_empty() {
            Some(format!("This ffmpeg cannot write {}. Choose another format.", container.name()))
        } else if export.output == export.source {
            Some("A video cannot replace itself.".to_owned())
        } else if is_taken {
            Some("Another job writes this file.".to_owned())
        } else {
            let companions = container.companions(tools, clip, &export.output, false);
            notes = companions.as_ref().map_or_else(|_| Vec::new(), |(_, notes)| notes.clone());
            companions.err().map(|problem| sentence(&problem.to_string()))
        };
        if can_choose {
            choose_row(ui, "Codec", &mut export.codec, codecs, Codec::title);
        }
        if export.codec.is_lossy() || container == Container::WebP {
            theme::quality(ui, "Quality", &mut export.quality, USUAL_QUALITY);
        }
        theme::steadiness(ui, &mut export.choices.steadiness);
        if clip.fields().is_some() {
            ui.checkbox(&mut export.deinterlaces, "Deinterlace");
        }
        ui.add_space(theme::GAP);
        ui.label(self.estimate(output));
        for note in &notes {
            caption(ui, sentence(note));
        }
        if let Some(problem) = &problem {
            ui.label(theme::error(ui, problem));
        }
        ui.add_space(theme::GAP);
        confirm_ui(ui, "Export", problem.is_none(), is_fresh, JobCommand::Export);
    }
}

/// The buttons below a form; `is_fresh` if it has just appeared.
pub fn confirm_ui(ui: &mut Ui, name: &str, can: bool, is_fresh: bool, command: JobCommand) {
    ui.horizontal(|ui| {
        let response = ui.add_enabled(can, theme::main_button(ui, name, can));
        if is_fresh {
            response.request_focus();
        }
        // A click elsewhere has taken the focus from the button.
        let enters =
            ui.memory(|m| m.focused().is_none()) && ui.input(|i| i.key_pressed(Key::Enter));
        if response.clicked() || can && enters {
            command.send(ui);
        }
        plain_button(ui, "Cancel", ShellCommand::CloseOverlay);
    });
}
