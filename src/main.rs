//! StyleForge paints live video and photos in the style of an image, mainly with Johnson's TransformerNet.
//!
//! This page is the architecture document; `CONTRIBUTING.md` says how to build, test and extend.
//!
//! # Crates
//!
//! The program is a workspace of crates in `crates`. A crate uses only the crates that its `Cargo.toml` names, and
//! Cargo refuses cycles, so the table cannot be violated unnoticed. `tests/architecture` keeps only what Cargo cannot
//! know: the files of a crate form no cycle, `unsafe` is in few places, one place each writes files, messages and
//! labels, and no crate outgrows its budget (`crates/README.md`). On this page, `plan/cuda/conv.rs` is the file
//! `crates/plan/src/cuda/conv.rs`.
//!
//! | crate | what it is for | what it must not know | uses |
//! |---|---|---|---|
//! | `styleforge` | `main.rs` starts the window or the command line and passes on its exit code; licences of all dependencies | everything else | [`backend`], [`cli`], [`gui`], [`pictures`], [`values`] |
//! | [`gui`] | the window; the only egui. Left out of a build without the feature `window` | arguments | `backend`, `engine`, `measure`, `media`, `network`, `pictures`, `plan`, `settings`, `threads`, `values`, `weights` |
//! | [`cli`] | the command line; the only argument parser. It does everything that the window does; only it has checks, benchmarks and `doctor` | the window | the same as `gui` |
//! | `settings` | settings that are kept between runs | arguments, the window, devices | `engine`, `media`, `pictures`, `values`, `weights` |
//! | `engine` | photos, films and live painting: threads, sessions, the path of a frame. `engine::capture` has cameras (left out of a build without the feature `cameras`), the demo scene (feature `drawing`) and photos as live sources; `engine::camera_out` is a virtual camera; `engine::film` paints and writes films | arguments, the window, formats of image files | `backend`, `measure`, `media`, `network`, `pictures`, `plan`, `steady`, `threads`, `values`, `weights` |
//! | `measure` | how long a backend takes, and whether it computes correctly: `measure::verify` | arguments, the window, styles | `backend`, `media`, `network`, `oracle`, `pictures`, `plan`, `values` |
//! | `media` | films and recordings through the user's ffmpeg: `media::film` reads and plays films; framing, upscaling, contact sheets | styles, devices, the window | `pictures`, `threads`, `values` |
//! | [`pictures`] | image files: decoding, encoding, colours, metadata, scaling; other people's codecs | films, styles, devices, the window | `threads`, `values` |
//! | [`backend`] | runs a plan on a device; the only cudarc, and the only `unsafe` except for SIMD in [`values::yuv420`], two calls of a camera's driver and what binds child processes to the program | files, styles, the window | `network`, `plan`, `steady`, `values` |
//! | `oracle` | the float64 reference that judges every backend | plans, backends | `network`, `values` |
//! | `plan` | turns a graph, an image size and a mode into steps with buffers and costs; pure | threads, device handles, pixels | `network`, `values` |
//! | `weights` | checkpoint readers, the only parsers of untrusted weights; the style library | devices, pictures | `network`, `values` |
//! | `steady` | keeps the strokes of a moving picture where they are on the things that it shows | networks, devices | `values` |
//! | `network` | a network as operations (`network::graph`) and how they are fused; one folder for each known network (`network::models`) builds its graph and recognises its checkpoints; how maps and weights become bytes (`network::quantisation`) | files, devices, plans | `values` |
//! | `threads` | threads that end in time, child processes, Ctrl-C and SIGTERM | pictures, devices | `values` |
//! | [`values`] | shared data: frames, tensors, modes, numbers, text; files are written atomically ([`values::disk`]), standard output and error in one place ([`values::terminal`]) | networks, devices, file formats | none |
//!
//! `triton`, the server's backend, `python`, the Python package, and `fuzz`, the fuzz targets, use these crates too. No
//! crate uses them.
//!
//! # Invariants
//!
//! Images and networks:
//!
//! - Between crates pixels are always RGBA8; alpha is copied from the photo. Two exceptions: a camera's frames are sent
//!   to a GPU in their own format ([`values::raw_frame`]), unless they are JPEG or two modes are compared; and a
//!   painting that is saved with 16 bits per channel is a [`values::deep_frame`] from the network's output to the file.
//! - A checkpoint fits exactly, or the error names the keys; nothing in a file is executed.
//! - Instance norms use the image's own statistics; the running averages that some files contain are ignored.
//! - An image of H x W pixels has maps of H, then ceil(H/2), then ceil(H/4) rows, doubled twice on the way
//!   back, and columns likewise; the result is cropped to H x W from the top left. Other runtimes compute the same
//!   image.
//! - The oracle (crate `oracle`) shares no code with the backends that it judges, but it walks the same
//!   graph. PyTorch's results (`tests/golden`) check the graph itself.
//! - On one device the same image, network and mode produce the same bits for any number of threads.
//! - A ratio of two times is shown only if a check finds that both painted the same image.
//!
//! Files and text:
//!
//! - [`values::disk`] writes an image or a settings file under a temporary name, syncs it and renames it. An existing
//!   image or report is replaced only with `--force` or after a question. Temporary files of a killed program in the
//!   program's folders are deleted at the next start. A new style or network is read back before it gets its name, and
//!   a removed one is renamed before its files are deleted. Only recordings (`media::record`) grow under their own
//!   names, a video by fragments and the table of a folder line by line.
//! - A folder of state that is found again by its name, as that of a film's parts, is a
//!   [`PrivateFolder`](values::disk::PrivateFolder): another user could have created it first. With `--force`, a link
//!   that belongs neither to the user nor to the folder's owner is not followed.
//! - Messages contain text, never the system's error numbers ("os error 28"): [`values::disk::reason`].
//! - External text (titles, names of tensors, files and cameras) is shown as one line without control characters,
//!   direction marks and invisible letters ([`values::text`]), both on the terminal ([`values::terminal`]) and in the
//!   window's labels.
//! - The size of a checkpoint's file limits the memory and the steps of reading it: `weights::Budget`.
//! - Folders of the user and of programs are absolute: a relative `HOME`, `XDG_*` or part of `PATH` is ignored
//!   (`weights::absolute`, [`cli::search_path`]).
//!
//! Live painting:
//!
//! - The newest frame wins. The frames that it replaces are counted: before the engine, and before the surface.
//! - Neither the source nor the engine waits for a surface.
//! - After the first frames of a size, painting a frame allocates nothing. Exceptions: a camera's JPEG
//!   decoder, the demo scene's rasteriser, comparing two modes, and timing the steps for the Lab.
//! - A session is opened by the loader thread while the previous one continues to paint. When memory does not
//!   suffice, unused sessions are closed; if that is not enough, the one that paints is closed too, and the video
//!   pauses meanwhile. When a session cannot be opened, the surface shows why and the old one stays.
//!
//! Devices:
//!
//! - A fallback is announced, never silent.
//! - A GPU that misses its deadline counts as lost: every wait polls, and ends after a multiple of the predicted time
//!   ([`wait_until`](backend::cuda::driver::Driver::wait_until)). A driver call that never returns is not detected.
//! - After a GPU is lost (a kernel failed, the driver was restarted), the driver refuses this process. The CPU
//!   paints until the program is restarted, which the window offers.
//!   `Device::replace_lost` in `engine/device.rs` replaces it; photos and live painting both call it.
//!
//! # Threads
//!
//! - **Window**: draws and never waits. It sends commands and settings, and shows the results.
//! - **Engine** (`engine::Engine`): owns the device, its pool of sessions (`engine::sessions`) and live painting
//!   (`engine::live`). `styleforge live` runs one too; the other commands paint photos on their main thread with
//!   `engine::paint::Painter`, as the engine does.
//! - **Shares** of `styleforge stylize` with several GPUs (`engine::share_in_order`): each takes the next photos or
//!   frames, and paints them with a GPU that is free (`engine::paint::Painters`).
//! - **Loader**: opens sessions for live painting, on a GPU in CUDA streams of its own. Those of photos are opened
//!   where they are painted.
//! - **Repaint**: repaints frozen frames and snapshots in the quality of photos, in parallel with live painting and
//!   with its own sessions; started for the first one.
//! - **Job** ([`gui`]): decodes, composes and encodes the film or the photos of a job of the window's queue. The engine
//!   paints them when nothing else waits for it.
//! - **Camera**: fetches and decodes frames, and may hang with its device. A second thread, **capture**, watches
//!   it, reports problems and reopens it. The other sources have only the capture thread.
//! - **Recorder**: encodes and writes the frames that the engine sends. When it fails, it wakes up the surface, which
//!   asks the recorder (`media::record::Recorder`); the engine is not involved.
//! - **Camera out** (`engine::camera_out`): writes the newest picture to a virtual camera at its own rate.
//! - **Compositor** (`engine::compositor`) and **background** ([`gui`]): strength and colours of a finished
//!   painting, files and dialogs, so that the window never waits for them.
//! - **Workers** of the CPU backend, which share one frame; as many of `media::upscale` bring its picture up to the
//!   source's size where the device does not ([`Job::composition`](backend::Job::composition)).
//!
//! One pool per device keeps all sessions within one memory budget: those of photos, live painting, previews and
//! comparisons. Measurements open their own sessions. Photos that do not fit are painted at a smaller working size
//! and upscaled (`engine::paint`).
//!
//! # One live frame
//!
//! Threads pass frames through [mailboxes](values::mailbox): the writer never waits, the reader gets the newest value.
//!
//! ```text
//! camera thread                    engine thread                          window thread
//! engine/capture/camera/session.rs engine/thread.rs, engine/live/run.rs   gui/app.rs, gui/live/update.rs
//!   wait for a frame                 Live::serve
//!   decode, rotate, mirror, if the     take the newest settings
//!     GPU does not
//!   FrameWriter::put     --------->    take the newest frame
//!                                      FrameLoop::begin, scale            App::logic
//!                                      Session::run                       take the newest picture
//!                                      FrameLoop::hand_over --------->      texture for the picture area
//!                                        |   to the source's size         App::ui: draw
//!                                        |   (media/upscale), compose,
//!                                        |   put, wake up
//!                                        +-> FrameSink::push -> recorder thread: encode, write
//!                                      RateControl::note: the next size
//!                                      one preview, if there is time
//! ```
//!
//! A surface sends `engine::live::LiveSettings` and reads pictures and `engine::live::Snapshot`s. In `engine/live` the
//! scheduler decides which session paints and which is to be opened (a pure state machine), the rate control decides
//! the working size and the size that the source should send, and the frame loop takes one frame through its stages.
//! None of them depends on the others.
//!
//! # One photo
//!
//! `cli::stylize`, or the window's background thread → [`pictures::decode`] (pixels, orientation, alpha) →
//! `engine::paint::Painter::paint_batch`, or by a `PaintJob` on the engine's thread `Painter::paint`: choose a working
//! size that fits the memory, take a session from the pool or open one ([`Backend::open`](backend::Backend::open)),
//! scale, [`Session::run`](backend::Session::run) → `Painting::finished`: scale to the output size,
//! [`compose`](values::compose::compose) with the photo → [`pictures::encode`] → [`values::disk`].
//!
//! # One checkpoint
//!
//! `weights::Checkpoint::read`: find the format, read named tensors (PyTorch, safetensors) or read a program as a graph
//! (ONNX), every loop drawing on the file's `Budget` → `network::models`: which network it is, and which tensor belongs
//! to which node, with the user's choices for the file (`weights::Choice`); an ONNX graph of no known model gets steps
//! between levels and its own values (`weights::with_levels`); a graph in a safetensors file's metadata is read
//! unchanged (`weights/any_network.rs`) → `network::Network` → `SessionKey` in the pool →
//! [`Backend::open`](backend::Backend::open): `plan` groups the graph, chooses kernels and tiles and lays out memory;
//! the backend packs and uploads the weights.
//!
//! # Glossary
//!
//! | term | meaning |
//! |---|---|
//! | style | a named set of trained weights with its credit, in the sizes `full` and `lite`: [`values::mode::ModelSize`] |
//! | checkpoint | a file of weights; its family is the program or paper that wrote it |
//! | model | the code that builds one kind of network and knows the keys of its checkpoints: `network::models` |
//! | network | a graph (`network::graph`) with its weights by the names of its nodes: `network::Network` |
//! | picture network | any network that maps one image to one image: its graph comes from a file, not from a model |
//! | input map | values that a graph reads instead of a photo: `network::graph::Op::Input`. Only the oracle and the CPU support them, and no style has any |
//! | reading | the interpretation of a network's values: the pixel ranges of its input and output, and the order of colours: `weights::PixelFormat`. `weights::likely_formats` are offered if a file does not specify it |
//! | pixel range | the values for black and white in a network's input or output: `weights::PixelRange` |
//! | map | the values between two operations: channels x rows x columns |
//! | norm | instance normalisation: every channel of a map by its own mean and variance |
//! | general graph | a graph that the kernels for Johnson's networks do not compute. On a GPU, plain kernels run it node by node; fused, some of Johnson's kernels are used too (`plan/cuda/general`) |
//! | launch | one start of a kernel on the device. A step of a plan may take several, and several steps may share one |
//! | variant | how a network is cut into launches: `baseline` (every operation its own), `fused-norm` (norm, ReLU and residual sum in one), `fused` (everything around a convolution in its kernel): [`values::mode::Variant`]. The CPU has `baseline` and `fused` |
//! | precision | the name of a set of number formats: [`values::mode::Precision`], [`values::numeric`]. The CPU has fp32, and int8 (`network::quantisation`) |
//! | mode | variant, precision and, if chosen, the attention kernel of a GPU: [`values::mode::AttentionKernel`] |
//! | group | nodes of the graph that are computed together: gather, an operation, its epilogue: `network::graph::fusion`. A planner may join groups into one launch (`plan/cuda/chain.rs`) or split one into several (`plan/cuda/unfused.rs`) |
//! | gather, main loop, epilogue | the parts of a convolution kernel: it reads its input (norm, ReLU, residual sum, upsampling and padding on the way), multiplies, and writes (statistics of the next norm, or the picture) |
//! | tile | the part of a map that one block of GPU threads computes: `plan/cuda/conv.rs` chooses from the tables of `plan/cuda/tiles.rs` |
//! | plan | pure data: a network's steps at one size, with buffers and costs: `plan` |
//! | general plan | the CPU's plan of a general graph: `plan/cpu/general` |
//! | session | a plan with its weights on a device, ready to paint: [`backend::Session`] |
//! | backend | opens sessions on a device: [`backend::Backend`] |
//! | oracle | the float64 walk of the unfused graph that judges every backend: crate `oracle` |
//! | convolution provider | what computes the convolutions of `baseline` and `fused-norm`: cuDNN if it is installed and has the precision, otherwise our own unfused kernels: `plan::ConvProvider` |
//! | painter | a device with its pool of sessions: paints photos, and lends sessions to live painting: `engine::paint::Painter` |
//! | purpose, lease | the use of a session in the pool (photo, live, preview); the guard that keeps it open while it is in use: `engine::sessions` |
//! | working size | the size at which the network sees an image. The automatic size is 1280 px for photos (less if memory is short); for live video it is the one that holds the rate: `engine/live/rate_control.rs` |
//! | source, stage, sink | where live frames come from, a step of their processing, where paintings go. `gui::stage` is the picture area of the window |
//! | trial | a small painting that shows whether a network is read correctly before it becomes a style: `engine::trial` |
//! | preview | in live painting, a small painting in another style; of a photo, a copy of the size of the screen |
//! | snapshot | the state of live painting apart from its frames: `engine::live::Snapshot`; in the window, a saved frame |
//! | comparison | two candidates (modes, on one device or two) that paint the same frame, shown side by side with their times |
//! | look | strength and colours of the finished painting: [`values::compose::Look`] |
//! | stylization | how something is painted: network, size, mode, look and steadiness: `engine::Stylization` |

mod licences;

use std::{path::PathBuf, process::ExitCode};

use backend::allocator;
use cli::Outcome;
use pictures::{guard, memory};
use values::{allocation, disk, terminal};

/// Minimum free memory at the start; with less, not even an error message is certain.
const MIN_BYTES: u64 = 16 << 20;

fn main() -> ExitCode {
    #[cfg(unix)]
    if let Err(why) = cli::search_path::leave_out_relative_folders() {
        terminal::write_message(format!("error: {why}"));
        return ExitCode::from(cli::WRONG_USE);
    }
    let is_limited = memory::has_limited_addresses();
    allocator::return_large_blocks(is_limited);
    if is_limited {
        allocation::note_limit();
    }
    guard::silence_decoders();
    if !allocation::can_allocate(MIN_BYTES) {
        let needed_mb = MIN_BYTES >> 20;
        terminal::write_message(format!(
            "error: StyleForge needs {needed_mb} MB of memory to start; close other programs or raise its limit"
        ));
        return ExitCode::from(cli::FAILED);
    }
    let code = match cli::run(std::env::args_os(), licences::text) {
        Outcome::Exit(code) => code,
        Outcome::OpenWindow(photos) => open_window(photos),
    };
    // Threads that were abandoned may still read photos.
    disk::remove_exchanged();
    ExitCode::from(code)
}

#[cfg(feature = "window")]
fn open_window(photos: Vec<PathBuf>) -> u8 {
    use gui::GuiError;

    match gui::run(photos.clone(), licences::text) {
        Ok(()) => cli::DONE,
        // A display that responds may still be unable to show a window.
        Err(GuiError::Window(reason)) => cli::without_window(&reason, &photos),
    }
}

#[cfg(not(feature = "window"))]
fn open_window(photos: Vec<PathBuf>) -> u8 {
    cli::without_window("this build of StyleForge has none", &photos)
}
