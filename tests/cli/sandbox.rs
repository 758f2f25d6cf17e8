//! A folder for one test, in which the program runs.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use network::models::johnson::NetworkSpec;
use pictures::{
    decode,
    encode::{self, Encoding, Existing, Format},
};
use serde_json::Value;
use values::frame::Frame;
use weights::{Checkpoint, Family, StorageType};

/// A folder with its own home, a small style and a photo.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let sandbox = Self { folder };
        fs::create_dir(sandbox.path("home")).expect("home");
        sandbox.style("tiny.safetensors", &[]);
        sandbox.photo("photo.png", 24, 16);
        sandbox
    }

    /// Writes a small style whose file contains `metadata`.
    pub fn style(&self, name: &str, metadata: &[(&str, &str)]) {
        let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([2, 3, 4]) };
        let network = spec.random(7).expect("valid");
        let metadata = metadata.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let checkpoint = Checkpoint {
            network: Arc::new(network),
            family: Family::PytorchExamples,
            storage: StorageType::F32,
            metadata: metadata.collect::<BTreeMap<String, String>>(),
            guessed: None,
            code: None,
        };
        let bytes = checkpoint.to_safetensors().expect("written");
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
        fs::write(path, bytes).expect("style");
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn photo(&self, name: &str, width: usize, height: usize) -> Frame {
        let frame = Frame::from_fn(width, height, |x, y| {
            [(x * 9) as u8, (y * 11) as u8, 130, 255 - (x * y % 60) as u8]
        });
        self.picture(name, &frame);
        frame
    }

    pub fn picture(&self, name: &str, frame: &Frame) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
        let format = Format::from_path(&path).expect("a format");
        encode::save(&path, frame, None, Encoding::of(format), Existing::Keep).expect("saved");
    }

    /// A BMP of any size that takes a few bytes on disk: its pixels are a hole in the file.
    #[cfg(target_os = "linux")]
    pub fn hole(&self, name: &str, width: u32, height: u32) {
        let mut head = vec![0u8; 54];
        head[..2].copy_from_slice(b"BM");
        head[10] = 54;
        head[14] = 40;
        head[18..22].copy_from_slice(&width.to_le_bytes());
        head[22..26].copy_from_slice(&height.to_le_bytes());
        head[26] = 1;
        head[28] = 24;
        fs::write(self.path(name), head).expect("file");
    }

    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.folder.path())
            // What Windows uses instead.
            .env("USERPROFILE", self.path("home"))
            .env("APPDATA", self.path("home/.local/share"))
            .env("TMP", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub fn styleforge(&self, arguments: &[&str]) -> Run {
        let output = self.command(env!("CARGO_BIN_EXE_styleforge")).args(arguments).output();
        Run::from(output.expect("the program starts"))
    }

    /// Paints with the small style on one thread.
    pub fn stylize(&self, arguments: &[&str]) -> Run {
        let usual = ["stylize", "--style", "./tiny.safetensors", "--threads", "1"];
        self.styleforge(&[&usual[..], arguments].concat())
    }

    /// Runs a shell command in which `$STYLEFORGE` is the program.
    #[cfg(unix)]
    pub fn shell(&self, line: &str) -> Run {
        let output = self
            .command("sh")
            .args(["-c", line])
            .env("STYLEFORGE", env!("CARGO_BIN_EXE_styleforge"))
            .output();
        Run::from(output.expect("a shell"))
    }

    /// Runs a copy of the program at another path; it is ended if it hangs for a minute.
    #[cfg(unix)]
    pub fn copy_of_styleforge(&self, program: &str, arguments: &[&str]) -> Run {
        let path = self.path(program);
        if !path.exists() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
            // This process cannot start a program that it writes while another test starts one.
            let program = env!("CARGO_BIN_EXE_styleforge");
            let copied = self.command("cp").arg(program).arg(&path).status();
            assert!(copied.expect("cp").success());
        }
        let mut command = self.command("timeout");
        command.arg("60").arg(path).args(arguments);
        Run::from(command.output().expect("the program starts"))
    }

    /// Runs the program with its standard error on a terminal and returns the terminal's content.
    #[cfg(target_os = "linux")]
    pub fn on_a_terminal(&self, arguments: &[&str]) -> String {
        use std::{
            fs::File,
            io::Read,
            os::fd::{FromRawFd, OwnedFd},
            ptr::{null, null_mut},
        };

        let (mut ours, mut theirs) = (0, 0);
        // SAFETY: both numbers are local variables; name, settings and size are optional.
        let opened = unsafe { libc::openpty(&mut ours, &mut theirs, null_mut(), null(), null()) };
        assert_eq!(opened, 0, "a terminal");
        // SAFETY: both were just opened, and nothing else closes them.
        let (mut ours, theirs) = unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
        let mut command = self.command(env!("CARGO_BIN_EXE_styleforge"));
        command.args(arguments).env("TERM", "xterm");
        let mut child =
            command.stdout(Stdio::null()).stderr(theirs).spawn().expect("the program starts");
        // Only the program has the other end open now.
        drop(command);
        let mut output = Vec::new();
        let mut part = [0; 4096];
        while let Ok(n @ 1..) = ours.read(&mut part) {
            output.extend_from_slice(&part[..n]);
        }
        let ended = child.wait().expect("ends");
        let output = String::from_utf8_lossy(&output).into_owned();
        assert!(ended.success(), "{output}");
        output
    }

    pub fn read(&self, name: &str) -> Frame {
        (*decode::from_path(&self.path(name)).expect("a picture").frame).clone()
    }

    /// Names in a folder, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path(folder))
            .expect("folder")
            .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Sends a program a signal, such as `-INT`.
pub fn send(signal: &str, child: &Child) {
    let kill = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// Checks the exit code, and that nothing panicked.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.text(), self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    pub fn failed(&self) -> bool {
        self.code != Some(0)
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "no '{words}' in:\n{}", self.stderr);
        self
    }

    /// Checks that standard output and standard error contain only text and our own line breaks.
    #[track_caller]
    pub fn shows_plain_lines(self) -> Self {
        for text in [self.text(), self.stderr.clone()] {
            let odd = |c: &char| *c != '\n' && is_odd(*c);
            let found: Vec<char> = text.chars().filter(odd).collect();
            assert!(found.is_empty(), "{found:?} in {text:?}");
        }
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).expect("JSON on standard output")
    }
}

/// True if a terminal would act on this character, or change the direction of the text around it.
pub fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
