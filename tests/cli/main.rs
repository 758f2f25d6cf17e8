//! The real program in folders of its own: what it writes, what it says, and how it ends.
#![allow(clippy::expect_used)]

mod commands;
mod failing;
mod foreign_text;
#[cfg(target_os = "linux")]
mod keeping;
mod live;
mod measuring;
#[cfg(target_os = "linux")]
mod memory;
mod modes;
mod sandbox;
mod style_folders;
mod stylize;
