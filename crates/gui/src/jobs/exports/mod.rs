//! Exports of films: the form that describes one, and the queue that paints them after everything else.
//!
//! An export runs on a thread of its own, which decodes, composes and encodes, and has the engine paint its frames
//! ([`FilmPainter`](engine::FilmPainter)). `queue` has the rules, `run` the thread, `form` and `list` draw, and
//! `flow` starts, stops and remembers exports.

mod flow;
mod form;
mod list;
mod queue;
mod run;

pub use self::{
    form::{Form, WIDTH as FORM_WIDTH},
    queue::{Action, Entry, Export, Queue, State},
    run::Run,
};

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::time_left::Stopwatch;
use crate::shell::settings_file::KeptFile;
use engine::film::Rendered;

/// The export that is running.
pub struct Running {
    id: u64,
    run: Arc<Run>,
    ended: Receiver<Result<Rendered, String>>,
    watch: Stopwatch,
}

/// The queue, and the export that is running.
#[derive(Default)]
pub struct Exports {
    pub queue: Queue,
    file: KeptFile<String>,
    running: Option<Running>,
    /// It waits for moving pictures to pause, as it does without a GPU.
    waits: bool,
}
