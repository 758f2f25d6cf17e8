//! Runs one export, on a thread of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::Export;
use crate::choice::Choice;
use backend::RunControl;
use engine::{
    FilmPainter,
    film::{Film, RenderError, Rendered, part_frames, render},
    paint::PaintSettings,
};
use media::film::{Clip, Container, Tools};
use network::Network;
use pictures::alpha;
use values::disk::{self, Existing};

/// How often a paused export looks whether it continues.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Shared between the window and the thread of an export.
#[derive(Default)]
pub struct Progress {
    /// Number of frames in the film; 0 if not known. Not exact.
    pub total: AtomicU64,
    /// Frames that are done, and those of them that this run has painted.
    pub frames: AtomicU64,
    pub painted: AtomicU64,
    pub is_paused: AtomicBool,
}

/// An export with everything that it needs.
pub struct Run {
    pub export: Export,
    pub network: Arc<Network>,
    pub painter: FilmPainter,
    pub on_gpu: bool,
    /// Cancelled to stop.
    pub control: Arc<RunControl>,
    pub progress: Progress,
}

impl Run {
    /// Blocks until it has ended.
    ///
    /// # Errors
    /// [`RenderError`]; any if it was stopped.
    pub fn render(&self) -> Result<Rendered, RenderError> {
        let Self { export, network, control, progress, on_gpu, .. } = self;
        let (tools, clip) = Tools::open(&export.source, control, None)?;
        let clip = Clip { deinterlaces: export.deinterlaces, ..clip };
        disk::make_folder(disk::folder_of(&export.output))?;
        // The crop was chosen in a picture with square pixels.
        let framing = match clip.pixel_aspect {
            1.0 => export.framing,
            _ => export.framing.scaled(clip.shown_size(), clip.size),
        };
        let choice = Choice::from_settings(&export.choices);
        let stylization = choice.stylization().with_network(network);
        let settings = stylization.paint_settings();
        let film = Film {
            source: &export.source,
            clip: &clip,
            output: &export.output,
            existing: if export.replaces { Existing::Replace } else { Existing::Keep },
            container: Container::from_path(&export.output).unwrap_or(Container::Mp4),
            codec: export.codec,
            hardware: None,
            quality: export.quality,
            range: export.range,
            fps: None,
            framing,
            output_size: choice.output,
            stylization,
            strips_metadata: false,
            strips_location: false,
            background: alpha::WHITE,
            batch: 1,
            devices: 1,
            part_frames: part_frames(*on_gpu),
            about: on_gpu.to_string(),
        };
        let share = film.share(&tools, |_| Ok(true))?;
        let settings = PaintSettings { held_bytes: share.held_bytes, ..settings };
        progress.total.store(film.frames().unwrap_or(0), Ordering::Relaxed);
        let paint = |frames: &[&Arc<_>], steadying: Option<&_>| {
            while progress.is_paused.load(Ordering::Relaxed) && !control.is_cancelled() {
                thread::sleep(LOOK_EVERY);
            }
            self.painter.paint(frames, network, settings, steadying, control)
        };
        render(&tools, &film, share.flow, &paint, &|frames, painted| {
            progress.frames.store(frames, Ordering::Relaxed);
            progress.painted.store(painted, Ordering::Relaxed);
        })
    }
}
