//! Work that takes time and that the user waits for: the photos of a folder, contact sheets, exports of videos. All
//! of it waits in one queue and runs after everything else, one job at a time.
//!
//! A job runs on a thread of its own, which decodes, composes and encodes, and has the engine paint
//! ([`FilmPainter`](engine::FilmPainter)). `work` says what a job does, `queue` has the rules, `run` and `photos` the thread, `form` and `folder`
//! ask what to do, `list` draws, and `flow` starts, stops and remembers jobs.

pub mod command;
mod flow;
mod folder;
mod form;
mod list;
mod photos;
mod queue;
mod run;
pub mod time_left;
mod work;

pub use self::{
    folder::FolderForm,
    form::{Form, WIDTH as FORM_WIDTH},
    list::counted,
    queue::Queue,
};

use std::sync::Arc;

use crossbeam_channel::Receiver;

use self::{run::Run, time_left::Stopwatch};
use crate::shell::settings_file::KeptFile;

/// The job that is running.
pub struct Running {
    id: u64,
    run: Arc<Run>,
    /// Notes for the user, or why it failed.
    ended: Receiver<Result<String, String>>,
    watch: Stopwatch,
}

/// The queue, and the job that is running.
#[derive(Default)]
pub struct Jobs {
    pub queue: Queue,
    file: KeptFile<String>,
    running: Option<Running>,
    /// It waits for moving pictures to pause, as it does without a GPU.
    waits: bool,
    /// When the progress was last written, by egui's clock.
    written_at: f64,
}
