//! StyleForge paints live pictures and photos in the style of a picture with Johnson's TransformerNet.
//!
//! This page is the architecture document.
//!
//! # Floors
//!
//! Imports go down only; `tests/architecture.rs` enforces it.
//!
//! | floor | modules | what lives there |
//! |---|---|---|
//! | 7 | `main.rs` | arguments to window or command line, exit code |
//! | 6 | [`gui`], [`cli`] | the two surfaces; the only egui, the only arguments; no feature lives in one of them alone |
//! | 5 | [`engine`], [`media`], [`capture`], [`settings`], [`verify`], [`measure`], [`signals`], [`terminal`], [`licences`] | jobs and threads, picture files, cameras, what is remembered, checks, times, Ctrl-C, standard output and error, licences |
//! | 4 | [`backend`] | runs a plan on a device; the only `unsafe` and the only cudarc |
//! | 3 | [`plan`] | pure: groups of a graph, size and mode to steps, buffers, cost |
//! | 2 | [`graph`], [`network`], [`models`], [`weights`] | networks as operations and how these are fused; a graph with its weights by name; each model's builder and key names, the only place that knows a model; checkpoint readers and the style library: the only parsers of untrusted weights |
//! | 1 | [`tensor`], [`mode`], [`numeric`], [`frame`], [`timing`], [`compose`], [`mailbox`], [`text`] | the domain: no files, no threads, no devices |
//! | 0 | [`disk`] | files written whole, and the system's errors in words; knows nothing of the domain |
//!
//! # Invariants
//!
//! - Pixels are RGBA8 at every seam; alpha is carried through from the photo.
//! - A checkpoint fits exactly or is an error that names the keys; nothing in a file is executed.
//! - Instance statistics are always the picture's own; a file's running statistics are ignored.
//! - At any size the maps are H, ceil(H/2), ceil(H/4), then twice and four times that, and the
//!   result is cropped to H x W from the top left: what every other runtime makes, cropped.
//! - The oracle ([`backend::oracle`]) walks the unfused graph and shares no code with what it judges; since it
//!   shares the graph, PyTorch's vectors (`tests/golden`) judge it.
//! - The same input, network and mode give the same bits, whatever the number of threads.
//! - A file is written beside its target, brought to the disk and renamed, all by [`disk`]; what exists is
//!   replaced only when asked. What a kill leaves of it in a folder of our own goes at the next start.
//! - No number of the system's ("os error 28") reaches a person: [`disk::reason`] has the words.
//! - Live pictures: the newest frame wins and what it overtook is counted, once before the engine and
//!   once before the screen; nothing waits for a surface; after the first frames nothing is allocated
//!   for one, but by a camera's JPEG decoder and the demo scene's rasteriser. Sessions are opened beside those that paint, which go on until the new ones are there.
//!   What cannot be had is told, and what was painted before goes on.
//! - A ratio of two times is shown only beside a check that both made the same picture.
//! - Text of others (titles, tensors, files, cameras) is shown as one line without control characters and
//!   direction marks ([`text`]): escaped where the program writes ([`terminal`]), and where it becomes a label.
//! - A fallback is announced, never silent. A GPU that is lost in the middle is opened again once,
//!   in a process of its own ([`backend::remote`]), because the driver opens nothing any more for the
//!   one that lost it; then the processor takes over ([`engine::paint::Painter`]). That process
//!   answers within a deadline or is killed, and the processor takes over at once.
//!
//! # Threads
//!
//! The window's thread draws and never waits. One engine thread owns the device, its pool of sessions
//! ([`engine::sessions`]) and the live pipeline ([`engine::live`]), and answers commands with events; beside it
//! a loader makes sessions ready, on a GPU in streams of its own, while the old ones serve. Photos, live
//! pictures, previews and comparisons lease their sessions from the one pool and its one memory budget. The CPU
//! backend has a pool of worker threads of its own. The command line runs the same painter on its main thread.
//!
//! The engine starts the live source, paints, and feeds the sinks. A surface sends
//! [`LiveSettings`](engine::live::LiveSettings) and shows pictures and [`Snapshot`](engine::live::Snapshot)s.
//! A live frame goes from thread to thread through [mailboxes](mailbox):
//!
//! ```text
//! capture thread                 engine thread                          surface
//! wait for the source            wait for command, settings or frame
//! decode, turn                   take the newest frame
//! put, newest wins  ---------->  to the working size, network, look
//!                                put, newest wins  ------------------>  take the newest picture, draw
//!                                push  ---> recorder's thread: encode, write
//! ```
//!
//! A camera has a second thread that watches the first, which may hang with its device.
//!
//! # Glossary
//!
//! | term | meaning |
//! |---|---|
//! | style | a named set of trained weights with its credit; has a `full` and a `lite` model |
//! | checkpoint | a file of weights; its family is the program or paper that wrote it |
//! | model | a network's builder with the key names of its checkpoints: [`models`] |
//! | network | a [`graph`] with its weights by the names of its nodes: [`network::Network`] |
//! | lowering | rewriting the nodes of an ONNX file as operations of a graph: [`weights::onnx`] |
//! | map | the numbers between two operations: channels x rows x columns |
//! | norm | instance normalisation: every channel of a map by its own mean and variance |
//! | variant | how a network is cut into launches: `baseline` (each operation its own), `fused-norm` (norm and ReLU in one), `fused` (convolution, norm, ReLU, padding, upsampling and residual together): [`mode::Variant`] |
//! | precision | the name of a set of number formats: [`mode::Precision`], [`numeric`] |
//! | mode | variant and precision |
//! | group | what fusion puts into one launch: gather, operation, epilogue: [`graph::fusion`] |
//! | gather, main loop, epilogue | a convolution kernel's reading (norm, ReLU, upsampling, padding on the way), its products, and its writing (statistics, residual, picture) |
//! | plan | pure data: a network's launches at one size with their buffers and costs: [`plan`] |
//! | session | a plan with its weights on a device: [`backend::Session`] |
//! | backend | opens sessions on a device: [`backend::Backend`] |
//! | oracle | the float64 walk of the unfused graph that judges every backend: [`backend::oracle`] |
//! | baseline's provider | who computes the convolutions of `baseline`: cuDNN where it is installed, else our direct kernel |
//! | working size | the size at which the network sees a picture |
//! | source, stage, sink | where live frames come from, what is done to them, where pictures go |
//! | look | strength and colours of the finished picture: [`compose::Look`] |

pub mod backend;
pub mod capture;
pub mod cli;
pub mod compose;
pub mod disk;
pub mod engine;
pub mod frame;
pub mod graph;
pub mod gui;
pub mod licences;
pub mod mailbox;
pub mod measure;
pub mod media;
pub mod mode;
pub mod models;
pub mod network;
pub mod numeric;
pub mod plan;
pub mod settings;
pub mod signals;
pub mod tensor;
pub mod terminal;
pub mod text;
pub mod timing;
pub mod verify;
pub mod weights;
