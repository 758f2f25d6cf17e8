//! StyleForge's program: the window, or the command line.

use std::process::ExitCode;

use styleforge::{
    backend::allocator,
    cli::{self, Outcome},
    gui::{self, GuiError},
    media::guard,
};

fn main() -> ExitCode {
    allocator::give_large_pieces_back();
    guard::silence_decoders();
    let code = match cli::run(std::env::args_os()) {
        Outcome::Exit(code) => code,
        Outcome::OpenWindow(photos) => match gui::run(photos.clone()) {
            Ok(()) => cli::DONE,
            // A display that answers may still be unable to show a window.
            Err(GuiError::Window(reason)) => cli::without_window(&reason, &photos),
        },
    };
    ExitCode::from(code)
}
