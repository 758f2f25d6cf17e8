//! Data that every crate shares: frames, tensors, modes, numbers and their formats, text, and files on disk.
//!
//! It does not know networks, devices and file formats. It uses no other crate of the program.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

pub mod allocation;
pub mod compose;
pub mod control;
pub mod deep_frame;
pub mod disk;
pub mod frame;
pub mod lock;
pub mod mailbox;
pub mod mode;
pub mod numeric;
pub mod parallel_copy;
pub mod raw_frame;
pub mod rotation;
pub mod sink;
pub mod tensor;
pub mod terminal;
pub mod text;
pub mod timing;
pub mod yuv420;
