//! Recordings of live pictures: one video file, or a folder of pictures.
//!
//! Frames come through a [`FrameSink`] on the thread that makes them; the [`Recorder`] starts and ends the
//! recording from another. Encoding and writing happen on a thread of the recorder's own. Frames wait in a queue of at
//! most 512 MiB, also before there is a file and while an encoder starts; when it is full a frame is left out and
//! counted, because painting must not wait for a disk. No file that exists is replaced. The first failure to write ends the recording: the thread calls the recorder's `wake_up`
//! at once and takes no more frames; what was written by then stays, and can be played.
//!
//! | module | |
//! | --- | --- |
//! | `queue` | the frames that wait, the same for all |
//! | `recorder` | the thread that writes them |
//! | `pictures` | a folder: a file for each frame, and a table (`frames.csv`) of when each came |
//! | `mp4` | H.264 in fragmented MP4, encoded by the person's own `ffmpeg` (`ffmpeg`, `encoder`) |
//! | `avi` | Motion-JPEG in AVI, written by this program alone, where there is no such ffmpeg |
//!
//! A video has the size of its first frame; later ones of another size are brought to it (`fit`). A recording is
//! written under its own name (`file`) and can be played at any moment, also when the program was killed. One without
//! a picture leaves no file.

mod avi;
mod beginning;
mod destination;
mod encoder;
#[cfg(test)]
#[cfg(unix)]
mod fake;
mod ffmpeg;
mod file;
mod fit;
mod fragments;
mod mp4;
mod nut;
mod output;
mod pictures;
mod queue;
mod recorded;
mod recorder;
mod yuv;

pub use beginning::beginning_of;
pub use destination::Destination;
pub use ffmpeg::{Ffmpeg, NoFfmpeg};
pub use queue::{FrameSink, TakenFrames};
pub use recorded::{Recorded, length_in_words, pictures, size_in_words};
pub use recorder::Recorder;
