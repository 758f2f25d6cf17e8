//! Paints photos and live video in styles: the jobs that the surfaces (window and command line) request.
//!
//! [`paint`] blocks its caller; the command line runs it on the main thread for photos, and with several GPUs on
//! threads that [share the work](share_in_order). It also replaces a lost GPU by the CPU.
//!
//! The window and `styleforge live` use [`Engine`] instead. It is the handle of one thread that owns the device, its
//! [session pool](sessions) and [live painting](live). That thread is helped by a loader thread and a thread that
//! repaints single live frames. A [`FilmPainter`] paints the frames of [films](film) through it for other threads. The
//! window also uses [`compositor`], a thread that composes finished paintings with their photos. The surfaces send
//! commands to both and read events and results later; they never wait for either.
//!
//! Live pictures come from a [source](capture); [camera out](camera_out) shows the painting to other programs.
//!
//! It does not know windows, arguments and formats of image files. It may use every crate except `oracle`, `settings`,
//! `cli` and `gui`.

#[cfg(all(test, unix))]
#[path = "../../../tests/support/fake_ffmpeg.rs"]
mod fake_ffmpeg;
#[cfg(all(test, unix))]
#[path = "../../../tests/support/films.rs"]
mod films;
#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

pub mod camera_out;
pub mod capture;
pub mod compositor;
mod device;
pub mod devices;
pub mod error;
mod events;
pub mod film;
mod film_frames;
mod handle;
pub mod inspection;
pub mod live;
pub mod network_choice;
pub mod paint;
mod photos;
pub mod protocol;
mod repaint;
pub mod sessions;
mod share;
mod steadied;
pub mod style_picture;
mod stylization;
mod thread;
pub mod trial;

pub use error::panic_message;
pub use film_frames::{FilmPainter, unless_cancelled};
pub use handle::Engine;
pub use share::share_in_order;
pub use stylization::{Mask, Stylization};
