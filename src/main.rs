//! StyleForge's program: the window, or the command line.

use std::process::ExitCode;

use styleforge::cli::{self, Outcome};

fn main() -> ExitCode {
    match cli::run(std::env::args_os()) {
        Outcome::Exit(code) => ExitCode::from(code),
        Outcome::OpenWindow(_) => ExitCode::from(cli::without_window("this build has none")),
    }
}
