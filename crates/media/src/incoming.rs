//! Screens, windows and network streams as live pictures, through the user's ffmpeg.
//!
//! An address can contain a password. It is given to ffmpeg only: what is shown, written and logged is an address as
//! text, or a message of ffmpeg from which its secrets were removed.

use std::{
    borrow::Cow,
    env,
    fmt::{Debug, Display, Formatter},
    io::{self, BufReader},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{
    ffmpeg::{Ffmpeg, Input},
    memory::{limit_bytes, max_pixels_within},
    nut::NutReader,
};
use threads::process::{End, Process, spawn, standard_stream};
use values::{control::RunControl, frame::Frame};

const SCREEN: &str = "screen";
const WINDOW: &str = "window:";
/// Maximum length of an address.
const MAX_BYTES: usize = 2048;
/// Pictures per second of a screen.
const SCREEN_FPS: &str = "30";
/// How long ffmpeg may take to end once its pictures have.
const ENDING: Duration = Duration::from_secs(2);
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// The beginnings of network addresses; of each the protocols that ffmpeg may use, and the formats that it may read.
/// None of these protocols reads a file.
const KINDS: [(&str, &str, &str); 8] = [
    ("rtsp://", "rtsp,rtp,udp,tcp", "rtsp,rtp,sdp,mpegts"),
    ("rtsps://", "rtsps,rtsp,rtp,udp,tcp,tls", "rtsp,rtp,sdp,mpegts"),
    ("rtmp://", "rtmp,tcp", "flv,live_flv"),
    ("rtmps://", "rtmps,rtmp,tcp,tls", "flv,live_flv"),
    ("http://", "http,https,tcp,tls,crypto", OVER_HTTP),
    ("https://", "http,https,tcp,tls,crypto", OVER_HTTP),
    ("srt://", "srt", "mpegts"),
    ("tcp://", "tcp", "mpegts,matroska,nut,mjpeg,mpjpeg"),
];
const OVER_HTTP: &str = "mpjpeg,mjpeg,mpegts,flv,matroska,mov,hls";

/// What is shown: `screen`, `screen:DISPLAY`, `window:ID`, or the address of a network stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// `None` if the text is no such address.
    pub fn new(text: &str) -> Option<Self> {
        let is_network = || {
            let (.., rest) = kind(text)?;
            let is_plain = !rest.contains(|c: char| c.is_whitespace() || c.is_control());
            (!rest.trim_start_matches('/').is_empty() && is_plain).then_some(())
        };
        let is_window = || text.strip_prefix(WINDOW).is_some_and(|id| window(id).is_some());
        let is_one = display(text).is_some() || is_window() || is_network().is_some();
        (is_one && text.len() <= MAX_BYTES).then(|| Self(text.to_owned()))
    }

    /// True for a screen or a window.
    pub fn is_screen(&self) -> bool {
        kind(&self.0).is_none()
    }

    /// The user's name and password, and what follows a question mark.
    fn secrets(&self) -> [&str; 2] {
        let Some((.., rest)) = kind(&self.0) else { return [""; 2] };
        let (place, query) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
        let authority = place.split('/').next().unwrap_or_default();
        [authority.rsplit_once('@').map_or("", |(user, _)| user), query]
    }

    /// A message of ffmpeg without the parts of the address that may be secret.
    fn without_secrets<'a>(&self, message: &'a str) -> Cow<'a, str> {
        let mut message = Cow::Borrowed(message);
        let [user, query] = self.secrets();
        let password = user.split_once(':').map_or("", |(_, password)| password);
        for secret in [self.0.as_str(), user, query, password] {
            if !secret.is_empty() && message.contains(secret) {
                let shown = if secret == self.0 { self.to_string() } else { "…".to_owned() };
                message = message.replace(secret, &shown).into();
            }
        }
        message
    }

    /// Adds it as the input of a command.
    fn add_to(&self, command: &mut std::process::Command) -> Result<(), String> {
        if let Some((protocols, formats, _)) = kind(&self.0) {
            // The beginning is shown soon; what was read to find out about the stream is shown, too.
            command.args("-flags low_delay -probesize 1000000".split(' '));
            command.args(["-analyzeduration", "1000000"]);
            if self.0.starts_with("rtsp") {
                command.args(["-rtsp_transport", "tcp"]);
            }
            Input::Network { protocols, formats, address: &self.0 }.add_to(command);
            return Ok(());
        }
        if !cfg!(target_os = "linux") {
            return Err("screens can only be shown on Linux with X11".to_owned());
        }
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let named = display(&self.0).filter(|name| !name.is_empty()).map(str::to_owned);
        if set("WAYLAND_DISPLAY").is_some() && named.is_none() {
            return Err("screens cannot be shown under Wayland yet; log in to a session with X11, or send the screen as a stream"
                .to_owned());
        }
        let Some(name) = named.or_else(|| set("DISPLAY")) else {
            return Err("there is no X11 screen (DISPLAY is not set)".to_owned());
        };
        command.args(["-framerate", SCREEN_FPS]);
        if let Some(id) = self.0.strip_prefix(WINDOW).and_then(window) {
            command.args(["-window_id", &id.to_string()]);
        }
        Input::Device("x11grab", &name).add_to(command);
        Ok(())
    }
}

/// Protocols, formats, and what follows the beginning of a network address.
fn kind(text: &str) -> Option<(&'static str, &'static str, &str)> {
    KINDS.iter().find_map(|&(begins, protocols, formats)| {
        Some((protocols, formats, text.strip_prefix(begins)?))
    })
}

/// The X11 display of a screen, empty for that of this session.
fn display(text: &str) -> Option<&str> {
    let name = text.strip_prefix(SCREEN)?;
    let is_name =
        |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || ":.-".contains(c));
    match name.strip_prefix(':') {
        None => name.is_empty().then_some(name),
        Some(name) => Some(name).filter(|name| !name.is_empty()).filter(is_name),
    }
}

/// The number of an X11 window, as `xwininfo` prints it.
fn window(id: &str) -> Option<u32> {
    match id.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => id.parse().ok(),
    }
}

impl Display for Address {
    /// Without what may be secret.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let [user, _] = self.secrets();
        let Some((.., rest)) = kind(&self.0) else { return f.pad(&self.0) };
        let begins = &self.0[..self.0.len() - rest.len()];
        let place = rest.split(['?', '#']).next().unwrap_or_default();
        let place = if user.is_empty() { place } else { &place[user.len() + 1..] };
        write!(f, "{begins}{place}")
    }
}

impl Debug for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, f)
    }
}

/// An open screen or stream. Dropping it ends its process.
pub struct Incoming {
    address: Address,
    process: Process,
    frames: Receiver<io::Result<Frame>>,
}

impl Incoming {
    /// Opens an address; its pictures are scaled down to this long side.
    ///
    /// # Errors
    /// The reason, without secrets.
    pub fn open(ffmpeg: &Ffmpeg, address: &Address, long_side_px: usize) -> Result<Self, String> {
        let mut command = ffmpeg.command();
        command.args(max_pixels_within(limit_bytes(None)));
        address.add_to(&mut command)?;
        let side =
            |side: &str| format!("'max(1,round({side}*min(1,{long_side_px}/max(iw*sar,ih))))'");
        let scale = format!(
            "scale=flags=bilinear:w={}:h={},setsar=1,format=rgba",
            side("iw*sar"),
            side("ih")
        );
        command.args(["-map", "0:v:0", "-vf", &scale]).args(ffmpeg.every_picture());
        command.args("-c:v rawvideo -f nut -flush_packets 1 pipe:1".split(' '));
        let mut process = Process::start(command, End::Killed)?;
        let pictures = standard_stream(process.child.stdout.take())?;
        let (sender, frames) = bounded(1);
        let pictures = BufReader::with_capacity(BUFFER_BYTES, pictures);
        spawn("stream", move || {
            if let Err(error) = read(pictures, &sender) {
                sender.send(Err(error)).ok();
            }
        })?;
        Ok(Self { address: address.clone(), process, frames })
    }

    /// The next picture; `None` if none comes within `patience`.
    ///
    /// # Errors
    /// Why no more will come, without secrets.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Frame>, String> {
        match self.frames.recv_timeout(patience) {
            Ok(Ok(frame)) => Ok(Some(frame)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                let (_, lines) = self.process.end(ENDING, &RunControl::default());
                let words = lines.last().map_or("it has ended", String::as_str);
                Err(self.address.without_secrets(words).into_owned())
            }
        }
    }
}

/// Reads pictures to the end, or until nobody receives.
fn read(from: impl io::Read, sender: &Sender<io::Result<Frame>>) -> io::Result<()> {
    let mut reader = NutReader::open(from, None)?;
    let stream = reader.stream();
    while let Some((_, pixels)) = reader.next_picture()? {
        let frame = Frame::from_rgba(stream.width, stream.height, pixels)
            .map_err(|error| io::Error::other(error.to_string()))?;
        if sender.send(Ok(frame)).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_files_and_shown_without_secrets() {
        for (text, shown) in [
            ("screen", "screen"),
            ("screen::1.0", "screen::1.0"),
            ("window:0x1e00007", "window:0x1e00007"),
            ("rtsp://10.0.0.5:554/live/1", "rtsp://10.0.0.5:554/live/1"),
            ("rtsp://ann:se@cret@cam/live?key=abc", "rtsp://cam/live"),
            ("srt://host:9000?passphrase=hidden", "srt://host:9000"),
            ("http://host/a@b/c", "http://host/a@b/c"),
        ] {
            let address = Address::new(text).expect("an address");
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), shown);
            let again = Address::new(shown).expect("an address");
            assert_eq!(again.to_string(), shown);
        }
        for text in [
            "screenshot.png",
            "screen:",
            "screen:a b",
            "window:main",
            "file:///etc/passwd",
            "http://",
            "ftp://host/a.mp4",
            "rtsp://host/a b",
            "concat:a|b",
        ] {
            assert_eq!(Address::new(text), None, "{text}");
        }
        let address = Address::new("rtsp://ann:hunter2@cam/live?key=abc").expect("an address");
        for said in [
            "rtsp://ann:hunter2@cam/live?key=abc: Connection refused",
            "auth ann:hunter2 failed",
            "hunter2",
            "GET /live?key=abc",
        ] {
            let shown = address.without_secrets(said);
            assert!(!shown.contains("hunter2") && !shown.contains("abc"), "{shown}");
        }
    }
}
