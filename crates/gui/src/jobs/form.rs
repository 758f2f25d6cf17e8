//! The form of an export: file, codec, size and quality, with an estimate of time and file size.

use std::{path::PathBuf, sync::Arc};

use eframe::egui::{Key, Ui};

use super::{command::JobCommand, time_left, work::Export};
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
use engine::film::{USUAL_QUALITY, bits_per_pixel};
use media::{
    film::{Codec, Container, OpenFilm},
    record::size_range,
};

/// Width of the form, in points.
pub const WIDTH: f32 = 440.0;

/// An export that the user has not confirmed yet.
pub struct Form {
    pub export: Export,
    pub film: Arc<OpenFilm>,
    /// How it is painted, as text.
    pub painting: String,
    /// Seconds for a frame, or when or why they are not known, as text.
    pub frame_seconds: Result<f64, &'static str>,
    /// Stops the measurement, once it runs.
    pub measuring: Option<Arc<RunControl>>,
}

impl Drop for Form {
    fn drop(&mut self) {
        if let Some(control) = &self.measuring {
            control.cancel();
        }
    }
}

impl Form {
    pub fn new(export: Export, film: Arc<OpenFilm>, painting: String) -> Self {
        Self { export, film, painting, frame_seconds: Err("measuring…"), measuring: None }
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
        let size = size_range(bits.map(|bits| (bits * pixels / 8.0) as u64)).replace(' ', "\u{a0}");
        let time = match self.frame_seconds {
            Ok(seconds) => {
                format!("about {} to paint", time_left::duration(seconds * frames as f64))
            }
            Err(why) => format!("time to paint: {why}"),
        };
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
