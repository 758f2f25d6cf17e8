//! Runs one job, on a thread of its own.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use itertools::Itertools;

use super::{
    queue::Entry,
    work::{Export, NO_STYLE, Outcome, Work},
};
use crate::{choice::Choice, shell::tasks::OrText, widgets::label::sentence};
use backend::RunControl;
use engine::{
    FilmPainter,
    film::{Estimate, Film, RenderError, Rendered, Share, estimate, part_frames, render},
    paint::{OutputSize, PaintSettings},
};
use media::film::{Clip, Container, Tools};
use network::Network;
use pictures::alpha;
use threads::WakeUp;
use values::{
    disk::{self, Existing},
    frame::Frame,
    lock::lock,
};

/// How often a paused job looks whether it continues.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Shared between the window and the thread of a job.
#[derive(Default)]
pub struct Progress {
    /// Number of frames or photos; 0 if not known. Not exact.
    pub total: AtomicU64,
    /// Those that are done, and those of them that this run has painted.
    pub frames: AtomicU64,
    pub painted: AtomicU64,
    pub is_paused: AtomicBool,
    /// A painted frame of a video, until the window takes it.
    pub frame: Mutex<Option<Frame>>,
    /// Items and outcomes that the window has not noted yet.
    pub outcomes: Mutex<Vec<(usize, Outcome)>>,
}

/// A job with everything that it needs.
pub struct Run {
    /// As it was when it began.
    pub entry: Entry,
    /// Of its styles, with their titles; a style without one is left out.
    pub networks: Vec<Option<Arc<Network>>>,
    pub titles: Vec<String>,
    pub painter: FilmPainter,
    pub on_gpu: bool,
    /// Name of the device.
    pub device: Option<String>,
    /// Cancelled to stop.
    pub control: Arc<RunControl>,
    pub progress: Progress,
    pub wake_up: WakeUp,
}

impl Run {
    /// Blocks until it has ended. Returns notes for the user.
    ///
    /// # Errors
    /// Why it failed; anything if it was stopped.
    pub fn run(&self) -> Result<String, String> {
        let network = self.networks.first().and_then(Option::as_ref);
        match (&self.entry.work, network) {
            (Work::Export(export), Some(network)) => {
                let Rendered { notes, damage, .. } = self.render(export, network).or_text()?;
                let damage = damage.map(|why| format!("the video is damaged ({why})"));
                Ok(notes.iter().chain(&damage).map(|note| sentence(note)).join(" "))
            }
            (Work::Export(_), None) => Err(NO_STYLE.to_owned()),
            (Work::Photos(photos), _) => {
                self.paint_photos(photos, self.entry.progress[0] as usize)?;
                Ok(String::new())
            }
        }
    }

    pub fn wait_while_paused(&self) {
        while self.progress.is_paused.load(Ordering::Relaxed) && !self.control.is_cancelled() {
            thread::sleep(LOOK_EVERY);
        }
    }

    fn render(&self, export: &Export, network: &Arc<Network>) -> Result<Rendered, RenderError> {
        let Self { control, progress, .. } = self;
        disk::make_folder(disk::folder_of(&export.output))?;
        export.with_film(network, self.on_gpu, control, |tools, film, share| {
            let settings = settings(film, share);
            let look = film.stylization.look;
            progress.total.store(film.frames().unwrap_or(0), Ordering::Relaxed);
            let paint = |frames: &[&Arc<_>], steadying: Option<&_>| {
                self.wait_while_paused();
                let painted = self.painter.paint(frames, network, settings, steadying, control);
                if let (Some(frame), Some(painting)) =
                    (frames.first(), painted.iter().flatten().next())
                {
                    // Seldom, because it takes time.
                    let finished = || painting.finished(frame, OutputSize::Working, look);
                    lock(&progress.frame).get_or_insert_with(finished);
                }
                painted
            };
            render(tools, film, share.flow, &paint, &|frames, painted| {
                progress.frames.store(frames, Ordering::Relaxed);
                progress.painted.store(painted, Ordering::Relaxed);
            })
        })
    }
}

/// The settings with which a film's frames are painted.
fn settings(film: &Film<'_>, share: Share) -> PaintSettings {
    PaintSettings { held_bytes: share.held_bytes, ..film.stylization.paint_settings() }
}

impl Export {
    /// About how long it takes, and how large its file becomes; `None` if its length is not known. Blocks.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn estimate(
        &self,
        network: &Arc<Network>,
        on_gpu: bool,
        painter: &FilmPainter,
        control: &Arc<RunControl>,
    ) -> Result<Option<Estimate>, RenderError> {
        self.with_film(network, on_gpu, control, |tools, film, share| {
            estimate(tools, film, share.flow, &|frames, steadying| {
                painter.paint(frames, network, settings(film, share), steadying, control)
            })
        })
    }

    /// Opens the video, and calls `then` with how it is painted.
    fn with_film<T>(
        &self,
        network: &Arc<Network>,
        on_gpu: bool,
        control: &Arc<RunControl>,
        then: impl FnOnce(&Tools, &Film<'_>, Share) -> Result<T, RenderError>,
    ) -> Result<T, RenderError> {
        let export = self;
        let (tools, clip) = Tools::open(&export.source, control, None)?;
        let clip = Clip { deinterlaces: export.deinterlaces, ..clip };
        // The crop was chosen in a picture with square pixels.
        let framing = match clip.pixel_aspect {
            1.0 => export.framing,
            _ => export.framing.scaled(clip.shown_size(), clip.size),
        };
        let choice = Choice::from_settings(&export.choices);
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
            stylization: choice.stylization().with_network(network),
            strips_metadata: false,
            strips_location: false,
            background: alpha::WHITE,
            batch: 1,
            devices: 1,
            part_frames: part_frames(on_gpu),
            about: on_gpu.to_string(),
        };
        let share = film.share(&tools, |_| Ok(true))?;
        then(&tools, &film, share)
    }
}
