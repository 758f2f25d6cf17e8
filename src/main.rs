//! StyleForge's program: the window, or the command line.

use std::{path::PathBuf, process::ExitCode};

use styleforge::{
    backend::allocator,
    cli::{self, Outcome},
    media::guard,
};

fn main() -> ExitCode {
    allocator::give_large_pieces_back();
    guard::silence_decoders();
    let code = match cli::run(std::env::args_os()) {
        Outcome::Exit(code) => code,
        Outcome::OpenWindow(photos) => open_window(photos),
    };
    ExitCode::from(code)
}

#[cfg(feature = "window")]
fn open_window(photos: Vec<PathBuf>) -> u8 {
    use styleforge::gui::{self, GuiError};

    match gui::run(photos.clone()) {
        Ok(()) => cli::DONE,
        // A display that answers may still be unable to show a window.
        Err(GuiError::Window(reason)) => cli::without_window(&reason, &photos),
    }
}

#[cfg(not(feature = "window"))]
fn open_window(photos: Vec<PathBuf>) -> u8 {
    cli::without_window("this build of StyleForge has none", &photos)
}
