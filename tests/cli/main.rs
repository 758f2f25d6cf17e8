//! The real program in its own folders: what it writes, what it prints, and how it ends.
#![allow(clippy::expect_used)]

mod commands;
mod export;
mod failing;
#[cfg(unix)]
mod film;
#[cfg(unix)]
mod film_colors;
mod folders;
#[cfg(target_os = "linux")]
mod foreign_names;
mod foreign_text;
mod framing;
#[cfg(unix)]
mod heic;
#[path = "../support/home.rs"]
mod home;
#[cfg(target_os = "linux")]
mod keeping;
mod live;
#[cfg(unix)]
mod looks;
mod measuring;
#[cfg(target_os = "linux")]
mod memory;
mod metadata;
mod modes;
mod networks;
#[path = "../support/onnx_corpus.rs"]
mod onnx_corpus;
#[path = "../support/packed.rs"]
mod packed;
#[path = "../support/picture_files.rs"]
mod picture_files;
#[cfg(target_os = "linux")]
mod pipes;
mod published;
#[path = "../support/real_time.rs"]
mod real_time;
mod sandbox;
mod style_folders;
mod style_networks;
mod style_pictures;
mod stylize;
