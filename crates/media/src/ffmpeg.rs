//! The user's own `ffmpeg`: finds it, and queries its abilities.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::memory::{Flow, max_pixels_within};
use threads::process::{self, ProcessResult, program_in};
use values::{
    control::RunControl,
    disk::{folder_of, reason},
    text::{cut, one_line},
};

/// How long to wait for an answer of ffmpeg about itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// ffmpeg's formats of the videos that are read. None of them names other files.
const VIDEOS: &str =
    "apng,asf,avi,dv,flv,gif,h264,hevc,m4v,matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,mxf,nut,ogg";
/// Maximum length of a version in messages.
const MAX_VERSION_CHARS: usize = 60;

/// An installed ffmpeg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ffmpeg {
    pub program: PathBuf,
    /// As ffmpeg reports it; on one line.
    pub version: String,
    /// The names of its encoders.
    pub encoders: Vec<String>,
    /// It is from the time when `-fps_mode` replaced `-vsync`, and the filter `setts` learned to set how long a picture
    /// is shown.
    pub sets_durations: bool,
}

/// Why no ffmpeg can be used here, as text for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoFfmpeg(pub(super) String);

impl NoFfmpeg {
    pub(super) fn missing() -> Self {
        Self("ffmpeg is not installed (not found in PATH)".to_owned())
    }
}

impl Ffmpeg {
    /// Searches PATH, and asks the program for its version and encoders. Takes a tenth of a second.
    ///
    /// # Errors
    /// [`NoFfmpeg`] says what is missing.
    pub fn find() -> Result<Self, NoFfmpeg> {
        Self::find_unless(&RunControl::default())
    }

    /// As [`Self::find`], unless `control` is cancelled.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(crate) fn find_unless(control: &RunControl) -> Result<Self, NoFfmpeg> {
        Self::find_in(env::var_os("PATH").as_deref(), PATIENCE, control)
    }

    fn find_in(
        path: Option<&OsStr>,
        patience: Duration,
        control: &RunControl,
    ) -> Result<Self, NoFfmpeg> {
        let program = program_in(path, "ffmpeg").ok_or_else(NoFfmpeg::missing)?;
        Self::asked(program, patience, control)
    }

    pub fn has(&self, encoder: &str) -> bool {
        self.encoders.iter().any(|name| name == encoder)
    }

    /// The option that keeps every picture at its own time.
    pub fn every_picture(&self) -> [&'static str; 2] {
        let option = if self.sets_durations { "-fps_mode" } else { "-vsync" };
        [option, "passthrough"]
    }

    fn asked(program: PathBuf, patience: Duration, control: &RunControl) -> Result<Self, NoFfmpeg> {
        let unusable =
            |why: String| NoFfmpeg(format!("{} cannot be used: {why}", program.display()));
        let ask = |words: &str| {
            let mut command = piped(&program);
            command.args(words.split(' '));
            process::run(command, patience, control).map_err(unusable)
        };
        let mut ended = ask("-nostdin -fps_mode passthrough -encoders")?;
        // Earlier versions do not know the option, and list nothing.
        let sets_durations = !ended.output.is_empty();
        if !sets_durations {
            ended = ask("-nostdin -encoders")?;
        }
        let [encoders, banner] =
            [&ended.output, &ended.errors].map(|bytes| String::from_utf8_lossy(bytes));
        if let Some(why) = ended.failure() {
            return Err(unusable(why));
        }
        let silent = || unusable("it does not report its version".to_owned());
        let version = version(&banner).ok_or_else(silent)?;
        // One line per encoder: six letters of flags, its name, a title.
        let names = encoders.lines().filter_map(|line| line.split_whitespace().nth(1));
        let encoders = names.map(str::to_owned).collect();
        Ok(Self { program, version, encoders, sets_durations })
    }

    /// ffmpeg, which prints only errors. Every input is added by [`Input::add_to`].
    pub fn command(&self) -> Command {
        let mut command = piped(&self.program);
        command.args("-hide_banner -nostdin -loglevel error".split(' '));
        command
    }

    /// The first picture of a video as a PNG, scaled to `width` if given. Fails if that takes more memory than
    /// `limit_bytes`.
    ///
    /// # Errors
    /// The reason.
    pub fn beginning_of(
        &self,
        video: &Path,
        width: Option<usize>,
        limit_bytes: u64,
    ) -> Result<Vec<u8>, String> {
        let scale = width.map_or_else(|| "null".to_owned(), |w| format!("scale={w}:-2"));
        let mut command = self.command();
        command.args(Flow::Frugal.options()).args(max_pixels_within(limit_bytes));
        Input::Video(video).add_to(&mut command);
        command.args(["-vf", &scale]);
        command.args("-frames:v 1 -c:v png -f image2pipe pipe:1".split(' '));
        let ended = process::run_keeping(limit_bytes, command, PATIENCE, &RunControl::default())?;
        match failure(&ended) {
            Some(failure) => Err(failure),
            None if ended.output.is_empty() => Err("it has no picture".to_owned()),
            None => Ok(ended.output),
        }
    }
}

/// Seconds as a decimal fraction, as ffmpeg reads them.
pub fn decimal(seconds: f64) -> String {
    format!("{seconds:.6}")
}

/// The address of a file, which ffmpeg cannot take for an option or for the address of something else.
pub fn file(path: &Path) -> OsString {
    let mut file = OsString::from("file:");
    file.push(path);
    file
}

/// What ffmpeg or ffprobe reads. The kind decides which formats and protocols the content can have, because a text can
/// look like a video by its name and make ffmpeg open other files: lists of files (concat, HLS, DASH, SDP).
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// A video of the user, or streams of it.
    Video(&'a Path),
    /// Numbered pictures whose names are like the pattern, from this number on.
    Numbered(&'a Path, u64),
    /// What this program sends to standard input, as NUT.
    Sent,
    /// The list of a film's parts, which this program has written next to them.
    Parts(&'a Path),
    /// Chapters that ffmpeg has written.
    Chapters(&'a Path),
    /// A stream from the network, with what ffmpeg may use for it.
    Network { protocols: &'a str, formats: &'a str, address: &'a str },
    /// A format of ffmpeg that reads no file, and what it is given.
    Device(&'a str, &'a str),
}

impl Input<'_> {
    /// Adds it to a command, after its options.
    pub fn add_to(self, command: &mut Command) {
        let (formats, address) = match self {
            Self::Video(path) => (VIDEOS, file(path)),
            Self::Numbered(pattern, first) => {
                // The name of the folder could look like a number.
                command.current_dir(folder_of(pattern));
                command.args(["-start_number", &first.to_string()]);
                ("image2", file(Path::new(pattern.file_name().unwrap_or_default())))
            }
            Self::Sent => ("nut", "pipe:0".into()),
            Self::Parts(list) => ("concat,mov", file(list)),
            Self::Chapters(path) => ("ffmetadata", file(path)),
            Self::Network { formats, address, .. } => (formats, address.into()),
            Self::Device(format, device) => (format, device.into()),
        };
        let protocol = match self {
            Self::Sent => "pipe",
            Self::Network { protocols, .. } => protocols,
            _ => "file",
        };
        command.args(["-protocol_whitelist", protocol, "-format_whitelist", formats]);
        if formats != VIDEOS && !matches!(self, Self::Network { .. }) {
            command.args(["-f", formats.split(',').next().unwrap_or_default()]);
        }
        command.arg("-i").arg(address);
    }
}

/// Why ffmpeg or ffprobe has failed on a video of the user, in other words than theirs if these do not help.
pub(crate) fn failure(ended: &ProcessResult) -> Option<String> {
    // It may end as if nothing had happened.
    if String::from_utf8_lossy(&ended.errors).contains("max pixel count") {
        let why = "its pictures need more memory than the limit; raise --max-memory, close other programs or make it smaller first";
        return Some(why.to_owned());
    }
    let words = match ended.failure()? {
        _ if String::from_utf8_lossy(&ended.errors).contains("Cannot allocate memory") => {
            "its index needs more memory than the limit; it is damaged, or a copy of it needs less (ffmpeg -i FILE -c copy COPY)"
        }
        words if words.contains("not on whitelist") => {
            "it is a list of other files, or of a kind that is not read"
        }
        words if words.contains("moov atom") || words.contains("Invalid data") => {
            "it is not one, or it is damaged or incomplete"
        }
        words => return Some(words),
    };
    Some(words.to_owned())
}

/// Why a file is not complete although ffmpeg succeeded: it only prints what fails at the end, such as a full disk.
pub fn unwritten(errors: &str) -> Option<String> {
    let full = reason(&ErrorKind::StorageFull.into());
    let is_torn =
        |line: &&str| line.contains("Error writing trailer") || line.contains("Error closing file");
    // In our words already if they are those of an encoder.
    let line = errors.lines().find(|line| is_torn(line) || *line == full)?;
    Some(if line.contains("No space left") { full } else { one_line(line).into_owned() })
}

/// [`process::piped`] for a program of ffmpeg. A report file requested by the environment would be written into the
/// current folder.
pub(crate) fn piped(program: &Path) -> Command {
    let mut command = process::piped(program);
    command.env_remove("FFREPORT");
    command
}

/// The third word of `ffmpeg version 5.1.9-0+deb12u1 Copyright (c) …`.
fn version(banner: &str) -> Option<String> {
    let line = banner.lines().find(|line| line.starts_with("ffmpeg version "))?;
    let version = line.split_whitespace().nth(2)?;
    Some(one_line(&cut(version, MAX_VERSION_CHARS)).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_one_line() {
        let banner = "\nffmpeg version 4.4.2\u{1b}[1m Copyright\n";
        assert_eq!(version(banner).as_deref(), Some("4.4.2\\u{1b}[1m"));
        assert_eq!(version("ffprobe version 4"), None);
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let control = RunControl::default();
        let find = |path: Option<&OsStr>| Ffmpeg::find_in(path, PATIENCE, &control);
        assert_eq!(find(None), Err(NoFfmpeg::missing()));
        assert_eq!(find(Some(folder.path().as_os_str())), Err(NoFfmpeg::missing()));
        std::fs::write(folder.path().join("ffmpeg"), "no program").expect("written");
        #[cfg(unix)]
        assert_eq!(find(Some(folder.path().as_os_str())), Err(NoFfmpeg::missing()));
        // The current folder is ignored, even if PATH names it.
        assert_eq!(find(Some(OsStr::new(""))), Err(NoFfmpeg::missing()));
        assert_eq!(find(Some(OsStr::new("."))), Err(NoFfmpeg::missing()));
    }

    #[cfg(unix)]
    #[test]
    fn the_answer_of_ffmpeg_decides() {
        use crate::fake_ffmpeg::program;

        let list = |names: &str| {
            format!("echo 'ffmpeg version 6.1 Copyright' >&2; echo ' V..... {names} a title'")
        };
        let find = |script: &str, patience| {
            let folder = tempfile::tempdir().expect("a folder");
            let program = program(folder.path(), script);
            let path = Some(folder.path().as_os_str());
            let found = Ffmpeg::find_in(path, patience, &RunControl::default());
            (found, program)
        };
        let old = format!("case $* in *fps_mode*) exit 1; esac; {}", list("libx264"));
        let (old, _) = find(&old, PATIENCE);
        assert_eq!(old.expect("an old ffmpeg").every_picture()[0], "-vsync");
        // An encoder for RGB alone is a different one.
        let (found, program) = find(&list("libx264rgb"), PATIENCE);
        let found = found.expect("an ffmpeg");
        assert_eq!(found.every_picture()[0], "-fps_mode");
        assert_eq!((&found.program, found.version.as_str()), (&program, "6.1"));
        assert_eq!([found.has("libx264rgb"), found.has("libx264")], [true, false]);
        let unusable = |(found, _)| match found {
            Err(NoFfmpeg(why)) => why,
            other => panic!("{other:?}"),
        };
        let loader = "ffmpeg: error while loading shared libraries: libx.so.9: cannot open";
        for (script, why) in [
            ("exit 3".to_owned(), "exit status: 3"),
            ("echo ffmpeg".to_owned(), "it does not report its version"),
            (format!("echo '{loader}' >&2; exit 127"), loader),
        ] {
            let said = unusable(find(&script, PATIENCE));
            assert!(said.ends_with(&format!("/ffmpeg cannot be used: {why}")), "{said}");
        }
        let silent = unusable(find("exec sleep 600", Duration::from_millis(200)));
        assert!(silent.ends_with(" cannot be used: it did not end within 0.2 s"), "{silent}");
    }

    /// The value after each occurrence of this flag.
    fn after<'a>(arguments: &'a [String], flag: &str) -> Vec<&'a str> {
        arguments.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1].as_str()).collect()
    }

    #[cfg(unix)]
    #[test]
    fn it_opens_one_video_to_show_how_it_begins() {
        use crate::fake_ffmpeg::program;

        let folder = tempfile::tempdir().expect("a folder");
        let ffmpeg = Ffmpeg {
            program: program(folder.path(), "printf '%s\\n' \"$@\""),
            version: "7.1".to_owned(),
            encoders: Vec::new(),
            sets_durations: true,
        };
        let video = Path::new("http://a/video.mp4");
        let output = ffmpeg.beginning_of(video, None, u64::MAX).expect("what it was given");
        let output = String::from_utf8(output).expect("text");
        let arguments: Vec<String> = output.lines().map(str::to_owned).collect();
        assert_eq!(after(&arguments, "-protocol_whitelist"), ["file"]);
        assert_eq!(after(&arguments, "-format_whitelist"), [VIDEOS]);
        assert_eq!(after(&arguments, "-i"), ["file:http://a/video.mp4"]);
        assert_eq!(arguments.last().map(String::as_str), Some("pipe:1"));
        let ffmpeg =
            Ffmpeg { program: program(folder.path(), "head -c 3000000 /dev/zero"), ..ffmpeg };
        let output = ffmpeg.beginning_of(video, None, u64::MAX).expect("a large picture");
        assert_eq!(output.len(), 3_000_000);
    }

    #[test]
    fn only_lists_of_this_program_name_other_files() {
        let path = Path::new("a/%d.png");
        for (input, formats) in [
            (Input::Video(path), VIDEOS),
            (Input::Numbered(path, 1), "image2"),
            (Input::Sent, "nut"),
            (Input::Parts(path), "concat,mov"),
            (Input::Chapters(path), "ffmetadata"),
            (Input::Device("lavfi", "color"), "lavfi"),
        ] {
            let mut command = Command::new("ffmpeg");
            // Two, because options before an input are those of this input.
            input.add_to(&mut command);
            input.add_to(&mut command);
            let arguments = command.get_args().map(|argument| argument.to_string_lossy().into());
            let arguments: Vec<String> = arguments.collect();
            let protocol = if formats == "nut" { "pipe" } else { "file" };
            assert_eq!(after(&arguments, "-format_whitelist"), [formats; 2]);
            assert_eq!(after(&arguments, "-protocol_whitelist"), [protocol; 2]);
        }
        for list in
            ["concat", "hls", "dash", "sdp", "image2", "imf", "vobsub", "webm_dash_manifest"]
        {
            assert!(!VIDEOS.split(',').any(|format| format == list), "{list}");
        }
    }
}
