//! The user's own programs, such as ffmpeg: finds them, and runs them with a limit of time.
//!
//! They are started without a shell, and never linked. Like a shell, this takes the first program of a name in PATH,
//! but never one in the current folder.

use std::{
    collections::VecDeque,
    env,
    ffi::OsStr,
    io::{BufRead, BufReader, ErrorKind, Read, copy, sink},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle, Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, never};

use super::children;
pub use super::children::{End, limit_memory};
use values::{
    control::RunControl,
    disk::reason,
    text::{cut, one_line},
};

/// Maximum bytes of a stream that are kept; the rest is read and dropped.
const KEPT_BYTES: u64 = 1 << 20;
/// Number of a process's last error lines that are kept, and the maximum length of each.
const MAX_LINES: usize = 4;
const MAX_LINE_CHARS: usize = 200;
/// Maximum bytes of a line; the rest becomes another line.
const MAX_LINE_BYTES: u64 = 4096;
/// Interval for polling whether a process has ended.
const POLL: Duration = Duration::from_millis(5);
/// How often a wait looks whether it was cancelled or takes too long.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Nothing else happens between two looks for this long, unless this program was stopped or the computer suspended.
const MAX_STEP: Duration = Duration::from_secs(1);
/// How long a process that was killed may take to end. One that waits for a device is left to the system.
const KILLED: Duration = Duration::from_secs(2);

/// The first program of this name in PATH.
pub fn program(name: &str) -> Option<PathBuf> {
    program_in(env::var_os("PATH").as_deref(), name)
}

/// The first program of this name in a PATH, never in a relative folder.
pub fn program_in(path: Option<&OsStr>, name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    path.into_iter()
        .flat_map(env::split_paths)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&name))
        .find(|program| is_program(program))
}

/// True if there is an executable file.
fn is_program(path: &Path) -> bool {
    let Ok(about) = path.metadata() else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        about.is_file() && about.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    {
        about.is_file()
    }
}

/// The program with piped output and error, and shielded from signals of the terminal, so that Ctrl-C ends a recording
/// in order.
pub fn piped(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
    }
    command
}

/// How long something may still take. A pause of this program counts as a second, and never as the end, because what
/// it waits for has paused, too.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    left: Duration,
    last: Instant,
}

impl Patience {
    pub const fn new(limit: Duration, now: Instant) -> Self {
        Self { left: limit, last: now }
    }

    /// True if it is used up; to be called several times a second.
    pub fn is_over(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.last);
        self.last = now;
        self.left = self.left.saturating_sub(passed.min(MAX_STEP));
        self.left.is_zero() && passed <= MAX_STEP
    }
}

/// Why a wait has ended in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    Cancelled,
    Late,
    /// Nothing will be sent.
    Closed,
}

/// A wait that ends when it was cancelled or takes too long.
pub struct Wait<'a> {
    patience: Patience,
    control: &'a RunControl,
}

impl<'a> Wait<'a> {
    pub fn new(limit: Duration, control: &'a RunControl) -> Self {
        Self { patience: Patience::new(limit, Instant::now()), control }
    }

    /// Why it ends now; `None` if it does not.
    pub fn missed(&mut self) -> Option<Missed> {
        if self.control.is_cancelled() {
            return Some(Missed::Cancelled);
        }
        self.patience.is_over(Instant::now()).then_some(Missed::Late)
    }

    /// Receives a value.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn receive<T>(&mut self, from: &Receiver<T>) -> Result<T, Missed> {
        loop {
            match from.recv_timeout(LOOK_EVERY) {
                Ok(value) => return Ok(value),
                Err(RecvTimeoutError::Disconnected) => return Err(Missed::Closed),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(missed) = self.missed() {
                        return Err(missed);
                    }
                }
            }
        }
    }
}

/// A running process. It is killed when this is dropped.
pub struct Process {
    pub child: Child,
    /// Its last error lines, when it ends.
    complaints: Receiver<Vec<String>>,
}

impl Process {
    /// Starts a [`piped`] command. `end` says how it ends if this program does.
    ///
    /// # Errors
    /// The reason.
    pub fn start(command: Command, end: End) -> Result<Self, String> {
        let mut process = Self::spawn(command, end)?;
        process.complaints = listen(standard_stream(process.child.stderr.take())?, last_lines)?;
        Ok(process)
    }

    fn spawn(command: Command, end: End) -> Result<Self, String> {
        Ok(Self { child: children::start(command, end)?, complaints: never() })
    }

    /// Waits until it ends, and kills it after `patience` or when `control` is cancelled. Returns its exit status, if it
    /// ended, and its last error lines.
    pub fn end(
        &mut self,
        patience: Duration,
        control: &RunControl,
    ) -> (Option<ExitStatus>, Vec<String>) {
        let status = status(&mut self.child, &mut Wait::new(patience, control));
        self.child.kill().ok();
        let lines = Wait::new(patience, control).receive(&self.complaints);
        (status, lines.unwrap_or_default())
    }

    /// Kills it, and waits for its end.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        status(&mut self.child, &mut Wait::new(KILLED, &RunControl::default()));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A standard stream of a process.
pub fn standard_stream<T>(piped: Option<T>) -> Result<T, String> {
    piped.ok_or_else(|| "it has no standard streams".to_owned())
}

/// A process that has ended.
pub struct ProcessResult {
    pub status: ExitStatus,
    /// The first `KEPT_BYTES`, or as many as are requested.
    pub output: Vec<u8>,
    /// The first `KEPT_BYTES`.
    pub errors: Vec<u8>,
}

impl ProcessResult {
    /// Why it failed: its first error message, otherwise its status. `None` if it succeeded.
    pub fn failure(&self) -> Option<String> {
        let errors = String::from_utf8_lossy(&self.errors);
        let first = errors.lines().map(str::trim).find(|line| !line.is_empty());
        (!self.status.success())
            .then(|| first.map_or_else(|| self.status.to_string(), in_our_words))
    }
}

/// Runs a [`piped`] command to its end. It is killed if it, or a process that it started and that holds its output
/// open, does not end within `limit`, or when `control` is cancelled.
///
/// # Errors
/// Why it could not be run.
pub fn run(
    command: Command,
    limit: Duration,
    control: &RunControl,
) -> Result<ProcessResult, String> {
    run_keeping(KEPT_BYTES, command, limit, control)
}

/// Runs a command as [`run`] does, and keeps this much of its output.
///
/// # Errors
/// Why it could not be run.
pub fn run_keeping(
    kept_bytes: u64,
    command: Command,
    limit: Duration,
    control: &RunControl,
) -> Result<ProcessResult, String> {
    let mut process = Process::spawn(command, End::Killed)?;
    let mut wait = Wait::new(limit, control);
    let output = kept(kept_bytes, standard_stream(process.child.stdout.take())?)?;
    let errors = kept(KEPT_BYTES, standard_stream(process.child.stderr.take())?)?;
    let status = status(&mut process.child, &mut wait);
    let streams = [output, errors].map(|stream| wait.receive(&stream).ok());
    match (status, streams) {
        (Some(status), [Some(output), Some(errors)]) => {
            Ok(ProcessResult { status, output, errors })
        }
        _ if control.is_cancelled() => Err("it was stopped".to_owned()),
        _ => Err(format!("it did not end within {:.1} s", limit.as_secs_f64())),
    }
}

/// Runs a command as [`run`] does.
///
/// # Errors
/// Why it could not be run, or failed.
pub fn succeed(command: Command, limit: Duration, control: &RunControl) -> Result<(), String> {
    run(command, limit, control)?.failure().map_or(Ok(()), Err)
}

/// The exit status, if the process ends before the wait.
fn status(child: &mut Child, wait: &mut Wait<'_>) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(None) if wait.missed().is_none() => thread::sleep(POLL),
            Ok(status) => return status,
            Err(_) => return None,
        }
    }
}

/// The first bytes of the stream.
fn kept(most: u64, from: impl Read + Send + 'static) -> Result<Receiver<Vec<u8>>, String> {
    listen(from, move |mut from| {
        let mut bytes = Vec::new();
        from.by_ref().take(most).read_to_end(&mut bytes).ok();
        copy(&mut from, &mut sink()).ok();
        bytes
    })
}

/// Lets a thread `read` the stream to its end, so that the process does not block, and receives the result.
fn listen<R: Read + Send + 'static, T: Send + 'static>(
    from: R,
    read: impl FnOnce(R) -> T + Send + 'static,
) -> Result<Receiver<T>, String> {
    let (sender, receiver) = bounded(1);
    spawn("process", move || {
        sender.send(read(from)).ok();
    })?;
    Ok(receiver)
}

/// Starts a thread that does what concerns a process.
///
/// # Errors
/// The reason.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, String> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|e| reason(&e))
}

/// Starts a thread in a scope; [`Scope::spawn`] would panic if the system has no more threads.
///
/// # Errors
/// The reason.
pub fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, String> {
    thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, work).map_err(|e| reason(&e))
}

/// A line of a program, truncated and safe to display. A full disk has our words.
fn in_our_words(message: &str) -> String {
    if message.contains("No space left on device") {
        return reason(&ErrorKind::StorageFull.into());
    }
    one_line(plain(&cut(message, MAX_LINE_CHARS))).into_owned()
}

/// A message of ffmpeg without the address of the part that wrote it: `[mov @ 0x55ab] moov atom not found`.
fn plain(message: &str) -> &str {
    match message.split_once("] ") {
        Some((origin, words)) if origin.starts_with('[') && origin.contains(" @ 0x") => {
            plain(words)
        }
        _ => message,
    }
}

/// The last lines of the stream, each truncated and safe to display.
fn last_lines(from: impl Read) -> Vec<String> {
    let mut from = BufReader::new(from);
    let mut lines = VecDeque::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut from).take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return lines.into(),
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        // ffmpeg's words for a line that it does not write again.
        if !text.is_empty() && !text.starts_with("Last message repeated") {
            lines.push_back(in_our_words(text));
            if lines.len() > MAX_LINES {
                lines.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_complaints_are_kept_cut_and_escaped() {
        let mut all = String::new();
        for n in 0..1000 {
            all.push_str(&format!("line {n}\u{1b}[1m\r\n\n"));
        }
        all.push_str("    Last message repeated 1 times\n");
        all.push_str(&"x".repeat(10_000));
        let lines = last_lines(all.as_bytes());
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(lines[0], "line 999\\u{1b}[1m");
        assert!(lines[1..].iter().all(|line| line.chars().count() <= MAX_LINE_CHARS));
        let full = "[out#0/mp4 @ 0x55] Error writing trailer: No space left on device\n";
        assert!(last_lines(full.as_bytes())[0].starts_with("the disk is full; free some space"));
    }

    #[test]
    fn a_pause_of_the_program_uses_up_no_patience() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut patience = Patience::new(Duration::from_secs(3), began);
        assert!(!patience.is_over(after(1)));
        // The computer was suspended.
        assert!(!patience.is_over(after(1000)));
        assert!(patience.is_over(after(1001)));
        assert!(!patience.is_over(after(2000)), "it looks again before it gives up");
        assert!(patience.is_over(after(2000)));
    }

    #[test]
    fn a_cancelled_wait_ends_at_once() {
        let control = RunControl::default();
        control.cancel();
        let mut wait = Wait::new(Duration::from_secs(600), &control);
        assert_eq!(wait.receive(&never::<()>()), Err(Missed::Cancelled));
        let (sender, closed) = bounded::<()>(0);
        drop(sender);
        assert_eq!(wait.receive(&closed), Err(Missed::Closed));
    }
}
