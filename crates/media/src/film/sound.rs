//! The sound of a clip, played by a process of its own.

use std::{process::Stdio, time::Duration};

use super::{Tools, decimal, open_film::OpenFilm};
use crate::ffmpeg::Input;
use threads::process::{End, Process, succeed};

/// The outputs of ffmpeg that play sound, best first, and the names to open them by. One that this ffmpeg lacks fails.
const OUTPUTS: [[&str; 2]; 2] = [["pulse", "StyleForge"], ["alsa", "default"]];

/// How long the trial of an output may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Plays the sound until it is stopped or dropped.
#[derive(Default)]
pub struct Sound {
    /// Number of outputs that have failed.
    failed: usize,
    process: Option<Process>,
}

impl Sound {
    /// Tries the outputs with a moment of silence; returns whether none works.
    pub fn is_silent(&mut self, tools: &Tools) -> bool {
        let works = |[output, name]: &[&str; 2]| {
            let mut command = tools.ffmpeg.command();
            Input::Device("lavfi", "anullsrc").add_to(&mut command);
            command.args(["-t", "0.05", "-f", output, name]);
            succeed(command, PATIENCE, &tools.control).is_ok()
        };
        self.failed = OUTPUTS.iter().position(works).unwrap_or(OUTPUTS.len());
        self.failed == OUTPUTS.len()
    }

    /// Plays the sound from this time on. Does nothing if no output works.
    pub fn start(&mut self, film: &OpenFilm, seconds: f64) {
        self.stop();
        if let Some([output, name]) = OUTPUTS.get(self.failed) {
            let mut command = film.tools.ffmpeg.command();
            Input::Video(&film.path).add_to(command.args(["-ss", &decimal(seconds)]));
            command.args(["-map", "0:a:0", "-f", output, name]);
            command.stdout(Stdio::null());
            self.process = Process::start(command, End::Killed).ok();
        }
    }

    /// Plays through the next output if the one in use has failed. Returns whether none works.
    pub fn follow(&mut self, film: &OpenFilm, seconds: f64) -> bool {
        let process = self.process.as_mut();
        let ended = process.and_then(|process| process.child.try_wait().ok().flatten());
        if ended.is_some_and(|status| !status.success()) {
            self.failed += 1;
            self.start(film, seconds);
        }
        self.failed == OUTPUTS.len()
    }

    pub fn stop(&mut self) {
        self.process = None;
    }
}
