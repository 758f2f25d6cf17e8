//! StyleForge paints photos in the style of a picture with Johnson's TransformerNet.
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
//! | 5 | [`engine`], [`media`], [`capture`], [`settings`], [`verify`] | jobs and threads, picture files, cameras, what is remembered, checks |
//! | 4 | [`backend`] | runs a plan on a device; the only `unsafe` and the only cudarc |
//! | 3 | [`plan`] | pure: network, size and mode to steps, buffers, cost |
//! | 2 | [`weights`] | checkpoint readers and the style library: the only parsers of untrusted weights |
//! | 1 | [`tensor`], [`network`], [`mode`], [`frame`], [`timing`], [`compose`] | the domain: no files, no threads, no devices |
//!
//! # Invariants
//!
//! - Pixels are RGBA8 at every seam; alpha is carried through from the photo.
//! - A checkpoint fits exactly or is an error that names the keys; nothing in a file is executed.
//! - Instance statistics are always the picture's own; a file's running statistics are ignored.
//! - At any size the maps are H, ceil(H/2), ceil(H/4), then twice and four times that, and the
//!   result is cropped to H x W from the top left: what every other runtime makes, cropped.
//! - The oracle ([`backend::oracle`]) shares no code with what it judges.
//! - The same input, network and mode give the same bits, whatever the number of threads.
//! - A file is written beside its target and renamed; what exists is replaced only when asked.
//! - A fallback is announced, never silent. A GPU that is lost in the middle is opened again once,
//!   in a process of its own ([`backend::worker`]), because the driver opens nothing any more for the
//!   one that lost it; then the processor takes over ([`engine::paint::Painter`]).
//!
//! # Threads
//!
//! The window's thread draws and never waits. One engine thread owns the backend and its sessions
//! and answers commands with events; the CPU backend has a pool of worker threads of its own. The
//! command line runs the same painter on its main thread.

pub mod backend;
pub mod capture;
pub mod cli;
pub mod compose;
pub mod engine;
pub mod frame;
pub mod gui;
pub mod media;
pub mod mode;
pub mod network;
pub mod plan;
pub mod settings;
pub mod tensor;
pub mod timing;
pub mod verify;
pub mod weights;
