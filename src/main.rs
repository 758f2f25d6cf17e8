//! The StyleForge program: window and command line.

use std::{path::PathBuf, process::ExitCode};

use styleforge::{
    allocation,
    backend::allocator,
    cli::{self, Outcome},
    media::{guard, memory},
    terminal,
};

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
        // A display that responds may still be unable to show a window.
        Err(GuiError::Window(reason)) => cli::without_window(&reason, &photos),
    }
}

#[cfg(not(feature = "window"))]
fn open_window(photos: Vec<PathBuf>) -> u8 {
    cli::without_window("this build of StyleForge has none", &photos)
}
