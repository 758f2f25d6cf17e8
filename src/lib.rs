//! StyleForge paints live pictures and photos in the style of a picture with Johnson's TransformerNet.
//!
//! This page is the architecture document; `CONTRIBUTING.md` tells how to build, test and extend.
//!
//! # Floors
//!
//! A module imports only from its own floor and those below, and no two files import each other in a circle;
//! `tests/architecture` enforces both.
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 7 | `main.rs` | starts the window or the command line and passes on its exit code |
//! | 6 | [`gui`] | the window; the only egui. Left out of a build without the feature `window` |
//! | 6 | [`cli`] | the command line; the only argument parser. It does everything that the window does; checks, benchmarks and `doctor` it has alone |
//! | 5 | [`engine`] | photos, batches and live painting: threads, sessions, the way of a frame |
//! | 5 | [`media`], [`capture`] | picture files and recordings; cameras, the demo scene and photos as live sources |
//! | 5 | [`verify`], [`measure`] | whether a backend computes what it should; how long it takes |
//! | 5 | [`settings`], [`licences`] | what is remembered between starts; licences of all dependencies |
//! | 5 | [`terminal`], [`signals`] | standard output and error; Ctrl-C and SIGTERM |
//! | 4 | [`backend`] | runs a plan on a device; the only `unsafe` and the only cudarc |
//! | 3 | [`plan`] | turns a graph, a picture size and a mode into steps with buffers and costs; pure |
//! | 2 | [`graph`], [`network`] | a network as operations, and how these are fused; a graph with its trained values |
//! | 2 | [`quantisation`] | how a network's maps and weights become bytes |
//! | 2 | [`models`] | one folder for each known network: builds its graph and recognises its checkpoints |
//! | 2 | [`weights`] | checkpoint readers, the only parsers of untrusted weights; the style library |
//! | 1 | [`tensor`], [`mode`], [`numeric`], [`frame`], [`raw_frame`], [`rotation`], [`timing`], [`compose`], [`mailbox`], [`text`], [`allocation`] | values that all of it speaks of; opens no files, starts no threads, knows no devices |
//! | 0 | [`disk`] | writes files whole, and has words for the system's errors; knows nothing of the rest |
//!
//! # Invariants
//!
//! Pictures and networks:
//!
//! - Between modules pixels are always RGBA8; alpha is carried through from the photo. One exception: a camera's frames go
//!   to a GPU as they came ([`raw_frame`]), unless it is a JPEG picture or two modes are compared.
//! - A checkpoint fits exactly or is an error that names the keys; nothing in a file is executed.
//! - Instance norms use the picture's own statistics; the running averages that some files carry are ignored.
//! - A picture of H x W pixels has maps of H, then ceil(H/2), then ceil(H/4) rows, doubled twice on the way
//!   back, and columns likewise; the result is cropped to H x W from the top left. Other runtimes make the same
//!   picture.
//! - The oracle ([`backend::oracle`]) shares no code with the backends that it judges, but it walks the same
//!   graph; whether the graph itself is right is judged by pictures that PyTorch made (`tests/golden`).
//! - On one device the same picture, network and mode give the same bits, whatever the number of threads.
//! - A ratio of two times is shown only together with a check that both painted the same picture.
//!
//! Files and text:
//!
//! - [`disk`] writes a picture or a settings file under a temporary name, syncs it and renames it. An existing
//!   picture or report is replaced only with `--force` or after a question. Temporary files that a killed program left in
//!   folders of ours are deleted at the next start. A new style or network is read back before it gets its name, and a
//!   removed one loses its name before its files. Only recordings ([`media::record`]) grow under their own names, a
//!   video by fragments and the table of a folder line by line.
//! - A person reads words, never the system's error numbers ("os error 28"): [`disk::reason`].
//! - Text from outside (titles, names of tensors, files and cameras) is shown as one line without control
//!   characters, direction marks and letters that show nothing ([`text`]), on the terminal ([`terminal`]) as in the
//!   window's labels.
//! - Reading a checkpoint costs what the size of its file allows, in memory and in steps:
//!   [`weights::Budget`].
//! - Folders of the user and folders of programs are absolute: a relative `HOME`, `XDG_*` or part of `PATH` is not used
//!   ([`weights::absolute`], [`cli::search_path`]).
//!
//! Live painting:
//!
//! - The newest frame wins. Frames that it replaced are counted: before the engine, and before the surface.
//! - Neither the source nor the engine waits for a surface.
//! - After the first frames of a size, painting a frame allocates nothing. Exceptions: a camera's JPEG
//!   decoder, the demo scene's rasteriser, comparing two modes, and timing the steps for the Lab.
//! - A session is opened by the loader thread while the one before goes on painting. When memory does not
//!   suffice, sessions that nothing uses are closed; when that is not enough, the one that paints, and the picture
//!   stands still meanwhile. When a session cannot be opened, the surface shows why and the old one stays.
//!
//! Devices:
//!
//! - A fallback is announced, never silent.
//! - A GPU whose work is not done by its deadline counts as lost: every wait for it polls, and is given up after a
//!   multiple of the predicted time ([`wait_until`](backend::cuda::driver::Driver::wait_until)). A call that does not
//!   return from the driver is not noticed.
//! - After a GPU is lost (a kernel that failed, a driver that was restarted), the driver refuses the process
//!   that lost it: the processor paints until the program is restarted, which the window offers.
//!   `Device::replace_lost` in `engine/device.rs` replaces it; photos and live painting both call it.
//!
//! # Threads
//!
//! - **Window**: draws and never waits. It sends commands and settings and shows what comes back.
//! - **Engine** ([`engine::Engine`]): owns the device, its [pool of sessions](engine::sessions) and
//!   [live painting](engine::live). `styleforge live` runs one too; the other commands paint photos
//!   on their main thread with [`engine::paint::Painter`], as the engine does.
//! - **Loader**: opens sessions for live painting, on a GPU in CUDA streams of its own. Those of photos are opened
//!   where they are painted.
//! - **Repaint**: paints live frames that somebody keeps once more, as finely as photos, beside live painting, with
//!   sessions of its own; started for the first one.
//! - **Camera**: fetches and decodes frames, and may hang with its device. A second thread, **capture**, watches
//!   it, reports problems and reopens it. The other sources have the capture thread alone.
//! - **Recorder**: encodes and writes the pictures that the engine hands it. When it fails it wakes the surface up,
//!   which asks the [`Recorder`](media::record::Recorder); the engine takes no part in that.
//! - **Compositor** ([`engine::compositor`]) and **background** ([`gui`]): strength and colours of a finished
//!   painting, files and dialogs, so that the window never waits for them.
//! - **Workers** of the CPU backend, which share one frame; as many of [`media::upscale`] bring its picture up to the
//!   source's size where the device does not ([`Session::run_composed`](backend::Session::run_composed)).
//!
//! One pool a device keeps all sessions within one memory budget: photos, the large live picture, previews and
//! comparisons take theirs from it. Measurements open sessions of their own. Photos that do not fit are
//! painted at a smaller working size and scaled up ([`engine::paint`]).
//!
//! # One live frame
//!
//! A frame goes from thread to thread through [mailboxes](mailbox): the writer never waits, the reader gets the
//! newest value.
//!
//! ```text
//! camera thread                    engine thread                          window thread
//! capture/camera/session.rs        engine/thread.rs, engine/live/run.rs   gui/app.rs, gui/live/update.rs
//!   wait for a frame                 Live::serve
//!   decode, rotate, mirror, if the     take the newest settings
//!     GPU does not
//!   feed::hand_over      --------->    take the newest frame
//!                                      FrameLoop::begin, scale            App::logic
//!                                      Session::run_raw, run_composed,
//!                                        or run                             take the newest picture
//!                                      FrameLoop::hand_over --------->      texture for the picture area
//!                                        |   to the source's size         App::ui: draw
//!                                        |   (media/upscale), compose,
//!                                        |   put, wake up
//!                                        +-> FrameSink::push ---> recorder thread: encode, write
//!                                      RateControl::note: the next size
//!                                      one preview, if there is time
//! ```
//!
//! A surface sends [`LiveSettings`](engine::live::LiveSettings) and reads pictures and
//! [`Snapshot`](engine::live::Snapshot)s. In `engine/live` the scheduler decides which session paints and which
//! is to be opened (a pure state machine), the rate control decides the working size and what size the source
//! should send, and the frame loop takes one frame through its stages; none of them knows the others.
//!
//! # One photo
//!
//! `cli::stylize`, or the window's background thread → [`media::decode`] (pixels, orientation, alpha) →
//! [`Painter::paint_batch`](engine::paint::Painter::paint_batch), or by a `PaintJob` on the engine's thread
//! [`Painter::paint`](engine::paint::Painter::paint): choose a working size that fits the memory, take a session
//! from the pool or open one ([`Backend::open`](backend::Backend::open)), scale,
//! [`Session::run`](backend::Session::run) → [`Painting::finished`](engine::paint::Painting::finished): scale to
//! the output size, [`compose`](compose::compose) with the photo → [`media::encode`] → [`disk`].
//!
//! # One checkpoint
//!
//! [`Checkpoint::read`](weights::Checkpoint::read): find the format, read named tensors (PyTorch, safetensors) or
//! read a program as a graph (ONNX), every loop drawing on the file's [`Budget`](weights::Budget) →
//! [`models`]: which network is it, and which tensor or node is which node's, with what a person says of the file
//! ([`Choice`](weights::Choice)); an ONNX graph that is no model's is given steps between levels and its own values
//! ([`with_levels`](weights::with_levels)); a graph in a safetensors file's metadata is read as it is
//! (`weights/any_network.rs`) → [`network::Network`] → `SessionKey` in the
//! pool → [`Backend::open`](backend::Backend::open): [`plan`] groups the graph, chooses kernels and tiles and lays out
//! memory; the backend packs and uploads the weights.
//!
//! # Glossary
//!
//! | term | meaning |
//! |---|---|
//! | style | a named set of trained weights with its credit; has a `full` and a `lite` size: [`mode::ModelSize`] |
//! | checkpoint | a file of weights; its family is the program or paper that wrote it |
//! | model | the code that builds one kind of network and knows the keys of its checkpoints: [`models`] |
//! | network | a [`graph`] with its weights by the names of its nodes: [`network::Network`] |
//! | picture network | any network that makes one picture of one picture: its graph comes from a file and is no model's |
//! | map handed in | numbers that a graph reads instead of a photo: [`graph::Op::Input`]. Only the oracle and the processor take them, and no style has any |
//! | reading | what the values of a network are taken for: the pixel ranges of what it reads and makes, and the order of its colours: [`weights::PixelFormat`]. [`weights::likely_formats`] are offered where a file does not tell |
//! | pixel range | the values that stand for black and white in what a network reads and makes: [`weights::PixelRange`] |
//! | map | the numbers between two operations: channels x rows x columns |
//! | norm | instance normalisation: every channel of a map by its own mean and variance |
//! | general graph | one that the kernels made for Johnson's networks do not compute: on a GPU plain kernels run it node by node, and fused some of Johnson's (`plan/cuda/general`) |
//! | launch | one start of a kernel on the device. A step of a plan may take several, and several steps may share one |
//! | variant | how a network is cut into launches: `baseline` (every operation its own), `fused-norm` (norm, ReLU and residual sum in one), `fused` (all that surrounds a convolution in its kernel): [`mode::Variant`]. The processor has `baseline` and `fused` |
//! | precision | the name of a set of number formats: [`mode::Precision`], [`numeric`]. The processor has fp32, and int8 ([`quantisation`]) |
//! | mode | variant, precision and, where it was chosen, a way to compute attention on a GPU: [`mode::AttentionKernel`] |
//! | group | nodes of the graph that are computed together: what is gathered, an operation, its epilogue: [`graph::fusion`]. A planner may join groups into one launch (`plan/cuda/chain.rs`) or split one into several (`plan/cuda/unfused.rs`) |
//! | gather, main loop, epilogue | the parts of a convolution kernel: it reads its input (norm, ReLU, residual sum, upsampling and padding on the way), multiplies, and writes (statistics of the next norm, or the picture) |
//! | tile | the part of a map that one block of GPU threads computes: `plan/cuda/conv.rs` chooses from the tables of `plan/cuda/tiles.rs` |
//! | plan | pure data: a network's steps at one size, with buffers and costs: [`plan`] |
//! | general plan | the processor's plan of a graph that the kernels for Johnson's network do not compute: `plan/cpu/general` |
//! | session | a plan with its weights on a device, ready to paint: [`backend::Session`] |
//! | backend | opens sessions on a device: [`backend::Backend`] |
//! | oracle | the float64 walk of the unfused graph that judges every backend: [`backend::oracle`] |
//! | convolution provider | who computes the convolutions of `baseline` and `fused-norm`: cuDNN where it is installed and has the precision, else our own unfused kernels: [`plan::ConvProvider`] |
//! | painter | a device with its pool of sessions: paints photos, and lends sessions to live painting: [`engine::paint::Painter`] |
//! | purpose, lease | what a session in the pool is kept for (photo, live, preview), and what keeps it open while it is in use: [`engine::sessions`] |
//! | working size | the size at which the network sees a picture. Automatic, it is 1280 px for photos (less where memory is short), and live what holds the rate: `engine/live/rate_control.rs` |
//! | source, stage, sink | where live frames come from, what is done to them on the way, where pictures go. `gui::stage` is the picture area of the window |
//! | trial | a small painting by which a person, or the program, sees whether a network is read rightly that is no style yet: [`engine::trial`] |
//! | preview | live, a small picture in another style; of a photo, a copy of the size of a screen |
//! | snapshot | what live painting does besides giving pictures: [`engine::live::Snapshot`]; for the person at the window, a saved picture |
//! | comparison | two candidates (modes, on one device or two) paint the same frame; shown side by side with their times |
//! | look | strength and colours of the finished picture: [`compose::Look`] |

pub mod allocation;
pub mod backend;
pub mod capture;
pub mod cli;
pub mod compose;
pub mod disk;
pub mod engine;
pub mod frame;
pub mod graph;
#[cfg(feature = "window")]
pub mod gui;
pub mod licences;
pub mod mailbox;
pub mod measure;
pub mod media;
pub mod mode;
pub mod models;
pub mod network;
pub mod numeric;
pub mod parallel_copy;
pub mod plan;
pub mod quantisation;
pub mod raw_frame;
pub mod rotation;
pub mod settings;
pub mod signals;
pub mod tensor;
pub mod terminal;
pub mod text;
pub mod timing;
pub mod verify;
pub mod weights;
