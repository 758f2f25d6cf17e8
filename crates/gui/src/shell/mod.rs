//! The window without what it shows: tasks, dialogs and messages, settings, keys, the desktop.

pub mod clipboard;
pub mod command;
pub mod common;
pub mod controls;
pub mod dock;
mod file_dialogs;
pub mod full_screen;
pub mod messages;
pub mod overlays;
pub mod platform;
pub mod pointer;
pub mod settings_changes;
pub mod settings_file;
pub mod shortcuts;
pub mod shortcuts_list;
pub mod state;
pub mod tasks;
pub mod tooltips;
