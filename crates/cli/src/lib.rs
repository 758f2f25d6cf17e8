//! The command line: scriptable access to every feature of the window.
//!
//! [`run`] parses the arguments and runs the command on the calling thread. Pictures and reports go to standard output,
//! messages to standard error.
//!
//! It does not know the window: it returns [`Outcome::OpenWindow`] to the caller. It may use every crate except `gui`,
//! `oracle` and `steady`. No other crate parses arguments.

#[cfg(test)]
#[path = "../../../tests/support/fake.rs"]
mod fake;
#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

mod args;
mod attention;
mod bench;
mod cameras;
mod check;
mod compare;
mod destination;
pub mod display;
mod doctor;
mod export;
mod inputs;
mod inspect;
mod interrupt;
mod job;
mod live;
mod looks;
mod modes;
mod progress;
mod sample_sheet;
#[cfg(unix)]
pub mod search_path;
mod style_choice;
mod styles;
mod stylize;
mod terminal;

use std::{
    env,
    ffi::OsString,
    fmt::Display,
    path::{Path, PathBuf},
};

use clap::{CommandFactory, FromArgMatches, builder::PossibleValuesParser};

use args::{Arguments, Command, DeviceArgs, MAX_THREADS, SharingArgs};
use terminal::write_message;

use backend::{Backend, BackendError, DeviceOptions, OlderDevice, Selected, cuda};
use engine::paint::{Painter, Painters};
use measure::MeasureError;
use media::film::{Codec, Container};
use pictures::encode::{self, Existing};
use threads::signals;
use values::mode::DeviceChoice;
use weights::StyleLibrary;

/// Exit code: everything succeeded.
pub const DONE: u8 = 0;
/// Exit code: some of the work failed.
pub const FAILED: u8 = 1;
/// Exit code: nothing was started, because the arguments are invalid or name a device, style or file that is missing or
/// unusable.
pub const WRONG_USE: u8 = 2;

#[derive(Debug, thiserror::Error)]
enum CliError {
    /// The arguments contradict each other, or name something that does not exist.
    #[error("{0}")]
    WrongUse(String),
    /// A device, style or file in the arguments exists and cannot be used.
    #[error("{0}")]
    Unusable(String),
    #[error("{0}")]
    Failed(String),
    /// Some of the work failed, and messages were printed.
    #[error("some of the work failed")]
    AlreadyReported,
    /// Stopped by Ctrl-C.
    #[error("stopped")]
    Stopped,
    /// The reader of standard output closed it, so that no message would arrive.
    #[error("standard output is closed")]
    OutputClosed,
}

impl CliError {
    fn wrong_use(error: impl Display) -> Self {
        Self::WrongUse(error.to_string())
    }

    fn failed(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// [`CliError::WrongUse`], as the result of a command.
fn wrong_use<T>(why: impl Into<String>) -> Result<T, CliError> {
    Err(CliError::WrongUse(why.into()))
}

impl From<BackendError> for CliError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Cancelled => Self::Stopped,
            BackendError::Unavailable { .. }
            | BackendError::Unsupported { .. }
            | BackendError::TooLarge { .. } => Self::wrong_use(error),
            other => Self::failed(other),
        }
    }
}

impl From<MeasureError> for CliError {
    fn from(error: MeasureError) -> Self {
        match error {
            MeasureError::Backend(error) => error.into(),
            MeasureError::Memory { what, width, height, needed_mb, limit_mb, fits } => {
                let at_most = fits.map_or_else(String::new, |(w, h)| format!(" (at most {w}x{h})"));
                Self::WrongUse(format!(
                    "{what} at {width}x{height} needs {needed_mb} MB of memory, and {limit_mb} MB may be used; choose a smaller --size{at_most} or fewer modes, raise --max-memory or \
                     close other programs"
                ))
            }
            other => Self::failed(other),
        }
    }
}

/// What the caller must do after [`run`].
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// End the program with this exit code.
    Exit(u8),
    /// Open the window with these photos, all of which exist.
    OpenWindow(Vec<PathBuf>),
}

/// Parses the arguments. `-1` after an option is treated as its value, so that the error names the values that the
/// option accepts.
fn parsed(arguments: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let takes = |arg: &clap::Arg| !arg.is_positional() && arg.get_action().takes_values();
    let with_numbers =
        |arg: clap::Arg| if takes(&arg) { arg.allow_negative_numbers(true) } else { arg };
    let command = Arguments::command().mut_subcommands(|c| c.mut_args(with_numbers));
    Arguments::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Runs the command of `arguments`, of which the first is the program's name. `licences` returns the texts of all
/// licences.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    licences: fn() -> Result<String, String>,
) -> Outcome {
    backend::signal::report_large_writes();
    let typed = match parsed(arguments.into_iter().collect()) {
        Ok(typed) => typed,
        Err(error) => {
            // Help and version are not errors; clap knows which stream they go to.
            let code = if error.use_stderr() { WRONG_USE } else { DONE };
            terminal::print_usage(error);
            return Outcome::Exit(code);
        }
    };
    if let Err(error) = check_environment() {
        return Outcome::Exit(exit_code(Err(error)));
    }
    let done = match typed.command {
        None => match window(typed.photos) {
            Ok(outcome) => return outcome,
            Err(error) => Err(error),
        },
        Some(Command::Stylize(args)) => stylize::run(args),
        Some(Command::Styles(args)) => styles::run(args),
        Some(Command::Looks(command)) => looks::run(command),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Export(args)) => export::run(args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Compare(args)) => compare::run(&args),
        Some(Command::Live(args)) => live::run(args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Doctor { json }) => doctor::run(json),
        Some(Command::Cameras { json }) => cameras::run(json),
        Some(Command::Licences) => licences()
            .map_err(CliError::Failed)
            .and_then(|texts| terminal::print_bytes(texts.as_bytes())),
        Some(Command::Completions { shell }) => completions(shell),
        Some(Command::ManualPages) => manual_pages(),
    };
    Outcome::Exit(exit_code(done))
}

/// Refuses rayon's environment variables if they exceed the maximum of `--threads`. Must run before rayon starts
/// threads.
fn check_environment() -> Result<(), CliError> {
    for variable in ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"] {
        let threads = env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
        if let Some(threads) = threads.filter(|threads| *threads > MAX_THREADS) {
            return wrong_use(format!(
                "{variable} requests {threads} threads, and at most {MAX_THREADS} are started; unset it, or set it to a \
                 smaller number"
            ));
        }
    }
    Ok(())
}

/// Paints the sample because no window can be opened; `reason` says why. Returns the exit code.
pub fn without_window(reason: &str, photos: &[PathBuf]) -> u8 {
    exit_code(instead_of_window(reason, photos))
}

/// Paints the sample in every style; if photos were given, prints how to paint them.
fn instead_of_window(reason: &str, photos: &[PathBuf]) -> Result<(), CliError> {
    if photos.is_empty() {
        return sample_sheet::run(reason);
    }
    Err(CliError::Failed(format!(
        "no window can be opened: {reason}; use styleforge stylize instead"
    )))
}

fn exit_code(done: Result<(), CliError>) -> u8 {
    let Err(error) = done else {
        return DONE;
    };
    let code = match error {
        CliError::WrongUse(_) | CliError::Unusable(_) => WRONG_USE,
        CliError::Failed(_) => FAILED,
        // There is nothing to report, or no reader.
        CliError::AlreadyReported => return FAILED,
        CliError::Stopped => return signals::stopped(),
        CliError::OutputClosed => return DONE,
    };
    write_message(format!("error: {error}"));
    code
}

/// Without a command: opens the window, or paints the sample if there is no display.
fn window(photos: Vec<PathBuf>) -> Result<Outcome, CliError> {
    if let Some(missing) = photos.iter().find(|p| !p.exists()) {
        let name = missing.to_string_lossy();
        let alike = Arguments::command()
            .get_subcommands()
            .find(|command| strsim::levenshtein(command.get_name(), &name) <= 2)
            .map_or_else(String::new, |command| format!(" did you mean {}?", command.get_name()));
        return wrong_use(format!(
            "{name} not found: no such command or file;{alike} see styleforge --help"
        ));
    }
    match display::probe() {
        display::Display::Missing(reason) => {
            instead_of_window(&format!("no display ({reason})"), &photos)?;
            return Ok(Outcome::Exit(DONE));
        }
        display::Display::Reachable(name) => {
            if name.starts_with("X11")
                && std::env::var("WAYLAND_DISPLAY").is_ok_and(|v| !v.is_empty())
            {
                display::restart_on_x11();
            }
        }
    }
    Ok(Outcome::OpenWindow(photos))
}

fn completions(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    let library = StyleLibrary::standard();
    let mut command = Arguments::command().mut_subcommands(|command| {
        let is_live = command.get_name() == "live";
        // The script suggests these names; the program accepts others.
        command.mut_args(|arg| {
            let names: Vec<String> = match arg.get_value_names() {
                Some([name]) if name == "STYLE" => {
                    library.styles().iter().map(|style| style.id.clone()).collect()
                }
                Some([name]) if name == "CODEC" => (Codec::ALL.iter())
                    .filter(|&&codec| !is_live || Container::Mp4.holds(codec))
                    .map(Codec::to_string)
                    .collect(),
                _ => return arg,
            };
            arg.value_parser(PossibleValuesParser::new(names))
        })
    });
    clap_complete::generate(shell, &mut command, "styleforge", &mut script);
    terminal::print_bytes(&script)
}

/// Prints the manual pages of all commands, each of which begins with its own `.TH`.
fn manual_pages() -> Result<(), CliError> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    // A page has one line for what a command does.
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let (summary, _) = about.split_once("\n\n").unwrap_or((&about, ""));
    command = command.about(summary.trim_end_matches('.').to_owned()).long_about(about.clone());
    command.build();
    let mut pages = Vec::new();
    let mut commands = vec![command];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().filter(|c| !c.is_hide_set()).cloned());
        clap_mangen::Man::new(command).render(&mut pages).map_err(CliError::failed)?;
    }
    terminal::print_bytes(&pages)
}

/// Checks that a command can write its output files.
///
/// # Errors
/// [`CliError::WrongUse`] if one exists and may not be replaced, or its folder cannot be written.
fn check_outputs<'a>(
    paths: impl IntoIterator<Item = &'a PathBuf>,
    force: bool,
) -> Result<Existing, CliError> {
    let existing = if force { Existing::Replace } else { Existing::Keep };
    for path in paths {
        encode::check_target(path, existing).map_err(CliError::wrong_use)?;
    }
    Ok(existing)
}

fn save(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), CliError> {
    encode::save_bytes(path, bytes, existing).map_err(CliError::failed)
}

/// Why a device cannot be used, without its name.
fn reason_of(error: BackendError) -> String {
    match error {
        BackendError::Unavailable { reason, .. } => reason,
        other => other.to_string(),
    }
}

/// The device options other than its kind.
fn device_options(args: &DeviceArgs) -> DeviceOptions {
    DeviceOptions { threads: args.threads, gpu: args.gpu, kernels_of: args.kernels_of }
}

/// A painter on the device of [`select_device`]. If a GPU is lost, even one chosen by name, the CPU finishes the work.
fn painter(selected: Selected, args: &DeviceArgs) -> Painter {
    Painter::new(selected.backend, backend::opener(device_options(args)))
}

/// The devices that share the work of a command, each with its GPU's number; at least one.
struct SharedDevices(Vec<(usize, Selected)>);

impl SharedDevices {
    /// The GPUs of `--devices`, or the device of [`open_device`].
    ///
    /// # Errors
    /// [`CliError::WrongUse`] if one of them cannot be opened.
    fn open(args: &DeviceArgs, sharing: &SharingArgs) -> Result<Self, CliError> {
        let Some(list) = &sharing.devices else {
            return Ok(Self(vec![(args.gpu.unwrap_or(0), open_device(args)?)]));
        };
        if args.device == DeviceChoice::Cpu {
            return wrong_use(
                "--device cpu uses no GPU; leave out --devices, or choose --device cuda",
            );
        }
        let numbers = cuda::numbers(list).map_err(|error| {
            let why = reason_of(error);
            CliError::WrongUse(format!("{why}; leave out --devices, or name other GPUs"))
        })?;
        let open = |number: usize| {
            let (device, gpu) = (DeviceChoice::Cuda, Some(number));
            let args = DeviceArgs { device, gpu, ..args.clone() };
            Ok((number, open_device(&args)?))
        };
        numbers.into_iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    fn backends(&self) -> Vec<&dyn Backend> {
        self.0.iter().map(|(_, selected)| selected.backend.as_ref()).collect()
    }

    /// Prints a note if the first device is a fallback.
    fn announce(&self) {
        self.0[0].1.notice.iter().for_each(write_message);
    }

    /// A [`painter`] on each device.
    fn painters(self, args: &DeviceArgs) -> Painters {
        Painters::new(self.0.into_iter().map(|(number, device)| (number, painter(device, args))))
    }
}

/// Selects the device for a command. Prints a note if it falls back to the CPU.
///
/// # Errors
/// [`CliError::WrongUse`] if the chosen device cannot be opened.
fn select_device(args: &DeviceArgs) -> Result<Selected, CliError> {
    let selected = open_device(args)?;
    if let Some(notice) = &selected.notice {
        write_message(notice);
    }
    Ok(selected)
}

/// As [`select_device`], without a note.
fn open_device(args: &DeviceArgs) -> Result<Selected, CliError> {
    if let (DeviceChoice::Cpu, Some(gpu)) = (args.device, args.gpu) {
        return wrong_use(format!(
            "--device cpu uses no GPU; leave out --gpu {gpu}, or choose --device cuda"
        ));
    }
    let other = match (args.device, args.kernels_of) {
        (DeviceChoice::Cpu, Some(OlderDevice::Gpu(..))) => Some(("no GPU", "cuda")),
        (DeviceChoice::Cuda, Some(OlderDevice::Processor(_))) => Some(("a GPU", "cpu")),
        _ => None,
    };
    if let (Some((uses, other)), Some(older)) = (other, args.kernels_of) {
        return wrong_use(format!(
            "--device {} uses {uses}; leave out --kernels-of {older}, or choose --device {other}",
            args.device.name()
        ));
    }
    backend::select(args.device, &device_options(args)).map_err(|error| match error {
        BackendError::Threads(_) => CliError::from(error),
        BackendError::Unavailable { .. } => CliError::wrong_use(match args.gpu {
            Some(_) => format!("{error}; leave out --gpu to use any GPU"),
            None => format!("{error}; choose --device cpu or auto"),
        }),
        // Whatever the reason, the chosen device is not available.
        other => CliError::wrong_use(other),
    })
}
