//! The sound of a clip, played by a process of its own.

use std::process::Stdio;

use super::{decimal, open_film::OpenFilm};
use crate::ffmpeg::Input;
use threads::process::{End, Process};

/// The outputs of ffmpeg that play sound, best first, and the names to open them by. One that this ffmpeg lacks fails.
const OUTPUTS: [[&str; 2]; 2] = [["pulse", "StyleForge"], ["alsa", "default"]];

/// Plays the sound until it is stopped or dropped.
#[derive(Default)]
pub struct Sound {
    /// Number of outputs that have failed.
    failed: usize,
    process: Option<Process>,
}

impl Sound {
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
