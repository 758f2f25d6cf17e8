//! StyleForge's program: the window, or the command line.

use std::process::ExitCode;

use styleforge::{
    cli::{self, Outcome},
    gui,
};

fn main() -> ExitCode {
    match cli::run(std::env::args_os()) {
        Outcome::Exit(code) => ExitCode::from(code),
        Outcome::OpenWindow(files) => match gui::run(files) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => ExitCode::from(cli::without_window(&error.to_string())),
        },
    }
}
