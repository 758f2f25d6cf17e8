//! Recordings of live mode: one video file, or a folder of pictures.
//!
//! Frames come through a [`FrameSink`] on the thread that paints them; another thread starts and ends the recording
//! with the [`Recorder`]. Encoding and writing happen on the recorder's own thread. Frames wait in a queue of at most
//! 512 MiB, also before there is a file and while an encoder starts. If the queue is full, a frame is dropped and
//! counted, because painting must not wait for a disk. Existing files are not replaced. The first write error ends the
//! recording: the thread calls the recorder's `wake_up` at once and accepts no more frames. What was written before
//! stays and can be played.
//!
//! | module | content |
//! | --- | --- |
//! | `queue` | the queue of frames, the same for all outputs |
//! | `recorder` | the thread that writes them |
//! | `pictures` | a folder: one file per frame, and a table (`frames.csv`) of their times |
//! | `mp4` | fragmented MP4, encoded by the user's own `ffmpeg` as films are, with sound from the `microphone` |
//!
//! A video has the size of its first frame; later frames of another size are scaled to it (`fit`). A recording is
//! written under its final name (`file`) and can be played at any moment, even after the program was killed. A
//! recording without a picture leaves no file.

mod beginning;
mod destination;
mod file;
pub mod fit;
mod fragments;
mod microphone;
mod mp4;
mod output;
mod pictures;
mod queue;
mod recorded;
mod recorder;

pub use beginning::beginning_of;
pub use destination::Destination;
pub use microphone::Microphone;
pub use mp4::{Mp4Choice, USUAL_QUALITY};
pub use queue::{FrameSink, TakenFrames};
pub use recorded::{Recorded, length_text, pictures, size_range, size_text};
pub use recorder::Recorder;
