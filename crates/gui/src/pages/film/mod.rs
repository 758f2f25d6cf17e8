//! The film page: a video that is open instead of a photo, played and painted.
//!
//! A held frame is a photo: it is painted, compared and saved like one. While the film plays, the engine paints small
//! pictures as it paints live video, with the settings of that for size and engine. The
//! [player](media::film::Player) decodes on its own thread.
//!
//! - [`transport`] decides what the buttons and keys do, without threads or egui.
//! - `flow` performs it; `bar` draws the buttons, `timeline` the thumbnails with the brackets around what is played.
//! - `steadiness` paints one second in several ways.

mod bar;
mod flow;
mod steadiness;
mod timeline;
mod transport;

use std::sync::{Arc, Mutex};

use steadiness::Comparison;
use timeline::Thumbnails;
pub use transport::Step;
use transport::Transport;

use engine::{
    capture::Captured,
    live::{LivePicture, LiveSettings},
};
use media::{
    film::{OpenFilm, Player},
    framing::Framing,
};
use threads::WakeUp;
use values::mailbox::{Reader, Writer};

/// A frame of a film, as a photo on the table.
#[derive(Clone)]
pub struct FilmFrame {
    pub film: Arc<OpenFilm>,
    /// Its time in the film.
    pub seconds: f64,
}

/// What paints the film while it plays.
struct Painting {
    /// Frames for the engine, which the player writes.
    output: Arc<Mutex<Writer<Captured>>>,
    pictures: Reader<LivePicture>,
    /// The settings that were last sent to the engine, and the framing that the player applies.
    sent: (LiveSettings, Framing),
    /// Number of these settings, unless it began with them.
    settings: u64,
    /// Number of the player's newest order to play, which all its pictures have.
    order: u64,
}

/// The film page.
#[derive(Default)]
pub struct FilmPage {
    /// The film of which the photo on the table is a frame.
    pub view: Option<FilmView>,
    /// A message said that sound cannot be played here.
    said_silent: bool,
}

/// An open film.
pub struct FilmView {
    film: Arc<OpenFilm>,
    pub player: Player,
    transport: Transport,
    thumbnails: Thumbnails,
    comparison: Option<Comparison>,
    /// While it plays.
    painting: Option<Painting>,
    /// Number of frames that were held.
    held: u64,
    /// No output for sound works.
    is_silent: bool,
    /// Number of the photo that shows its first frame: thumbnails of the styles show this one.
    pub poster: u64,
}

impl FilmView {
    /// # Errors
    /// The operating system could not start a thread.
    fn new(frame: FilmFrame, poster: u64, wake_up: WakeUp) -> std::io::Result<Self> {
        let FilmFrame { film, seconds } = frame;
        Ok(Self {
            player: Player::start(film.clone(), wake_up)?,
            transport: Transport::new(&film, seconds),
            film,
            thumbnails: Thumbnails::default(),
            comparison: None,
            painting: None,
            held: 0,
            is_silent: false,
            poster,
        })
    }

    /// The settings with which the engine paints it while it plays.
    pub fn settings(&self) -> Option<&LiveSettings> {
        self.painting.as_ref().map(|painting| &painting.sent.0)
    }

    pub fn is_playing(&self) -> bool {
        self.transport.speed != 0.0
    }
}
