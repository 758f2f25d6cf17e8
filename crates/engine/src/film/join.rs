//! Joins the parts, and adds the sound, subtitles and chapters of the source, without encoding anything again unless it
//! is damaged.

use std::{
    fmt::Write,
    fs,
    path::{self, Path, PathBuf},
    process::Command,
    slice,
    time::Duration,
};

use itertools::Itertools;

use super::{
    RenderError,
    job::Film,
    parts::{LIST, Part, Parts},
};
use media::{
    ffmpeg::{self, Input},
    film::{
        Along, Codec,
        Container::{self, Apng, Gif, Pictures, WebP},
        FilmError, Numbered, OPUS, Range, Reader, Reading, TIMECODE, Tools, decimal,
        set_webp_length,
    },
    memory::{Flow, most_bytes},
    nut::{NutStream, Track},
};
use pictures::encode::Format;
use threads::process::{self, ProcessResult};
use values::disk;

/// How long joining may take at least. Each megabyte that is read, and each frame that is encoded again, adds a second.
const MIN_PATIENCE: Duration = Duration::from_secs(120);

/// Sampling rates of AAC, in hertz.
const SAMPLE_RATES: [u64; 8] = [48_000, 44_100, 32_000, 24_000, 16_000, 12_000, 11_025, 8_000];

/// Seconds that no film lasts.
const FOREVER: f64 = 1e9;

/// Size of the trial picture in software; graphics cards do not take every size.
const TRIAL_SIZE: (usize, usize) = (64, 64);
/// Seconds of the source that are joined with it.
const TRIAL_SECONDS: f64 = 1.0;
/// Where ffmpeg writes what is only counted.
const NOWHERE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };
/// How the reason begins if the disk is full.
const FULL: &str = "the disk is full";
/// What ffmpeg prints if a file is not a video.
const INVALID: &str = "Invalid data found";

/// Names of the title of a stream.
const TITLES: [&str; 2] = ["title", "name"];
/// Tags of the camera, which MP4 has no names for.
const OF_CAMERA: [&str; 2] = ["make", "model"];
/// Tags that a stream needs to be played.
const OF_PLAYING: [&str; 3] = ["language", "filename", "mimetype"];
/// Tags that do not say where a video was taken, by their names in small letters.
const WITHOUT_PLACE: [&str; 24] = [
    "title",
    "artist",
    "album",
    "album_artist",
    "composer",
    "performer",
    "genre",
    "track",
    "disc",
    "date",
    "year",
    "creation_time",
    "copyright",
    "license",
    "rating",
    "make",
    "model",
    "com.android.version",
    "com.android.manufacturer",
    "com.android.model",
    "com.apple.quicktime.make",
    "com.apple.quicktime.model",
    "com.apple.quicktime.software",
    "com.apple.quicktime.creationdate",
];

/// Joins the parts of a film.
pub struct Join<'a> {
    pub tools: &'a Tools,
    pub film: &'a Film<'a>,
    pub flow: Flow,
    /// The other streams that the film should have.
    pub along: &'a Along,
    /// Of the pictures that are read.
    pub stream: NutStream,
}

/// What is joined.
struct Pieces<'a> {
    parts: &'a Parts,
    list: &'a [Part],
    /// When the last frame begins, and how long it is shown, in seconds, if that is known.
    last: Option<(f64, f64)>,
    /// Only the beginning of the source.
    is_trial: bool,
}

impl Pieces<'_> {
    /// The most ticks between two parts.
    fn largest_gap(&self) -> u64 {
        let gap = |pair: &[Part]| pair[1].ticks.abs_diff(pair[0].last);
        self.list.windows(2).map(gap).max().unwrap_or(0)
    }
}

/// What the film has besides its pictures.
#[derive(Default)]
struct Extras {
    along: Along,
    /// Title, date, chapters and the like, and the length of the last frame.
    is_described: bool,
}

/// A film without its name.
struct Joined {
    file: PathBuf,
    /// Number of its frames, if ffmpeg reports it.
    frames: Option<u64>,
}

impl Joined {
    fn remove(self) {
        if let Some(pictures) = Numbered::of(&self.file) {
            for number in pictures.numbers() {
                fs::remove_file(pictures.path(number)).ok();
            }
        }
        fs::remove_file(self.file).ok();
    }
}

impl Join<'_> {
    /// Joins a trial part with the first second of the source, so that a long film is not painted in vain.
    ///
    /// # Errors
    /// [`FilmError::File`] with the reason, or as [`Self::finish`].
    pub fn try_out(&self, parts: &Parts) -> Result<(), RenderError> {
        let Self { tools, film, stream, .. } = self;
        let failed = |reason: String| self.failed(parts, reason);
        let size = if film.hardware.is_some() { film.clip.size } else { TRIAL_SIZE };
        let file = parts.unfinished("trial", film.codec.part_extension())?;
        let mut encoder = film.encoder(tools, self.flow, stream, size, &file).map_err(failed)?;
        encoder.send(Track::Pictures, 0, &vec![0; 4 * size.0 * size.1]);
        encoder.wait().map_err(failed)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let part = Part { first: 0, frames: 1, ticks: 0, last: 0, hash: 0, name };
        let last = Some((0.0, TRIAL_SECONDS));
        let pieces = Pieces { parts, list: slice::from_ref(&part), last, is_trial: true };
        // What of the source cannot be stored is decided at the end, because its beginning may be an exception.
        let joined = self
            .attempt(&pieces, &self.everything())
            .or_else(|why| self.attempt(&pieces, &Extras::default()).map_err(|_| failed(why)))?;
        joined.remove();
        fs::remove_file(file).ok();
        Ok(())
    }

    /// Writes the film under its name. `is_whole` says whether the source could be read to its end. Returns how many
    /// painted frames are missing in it.
    ///
    /// # Errors
    /// [`RenderError::Stopped`] with the reason; the parts stay.
    pub fn finish(
        &self,
        parts: &mut Parts,
        is_whole: bool,
        notes: &mut Vec<String>,
    ) -> Result<u64, RenderError> {
        let film = self.film;
        let last = parts.list().last().map(|part| self.seconds(part.last)).filter(|_| is_whole);
        let last = last.and_then(|last| Some((last, film.last_frame_seconds(last)?)));
        let pieces = Pieces { parts, list: parts.list(), last, is_trial: false };
        let joined = match self.most(&pieces, notes) {
            Ok(joined) => joined,
            Err(mut why) => {
                let is_other = why.contains(FULL) || self.tools.control.is_cancelled();
                if !is_other && self.remove_damaged(parts) {
                    why.push_str("; a damaged part of the film was removed");
                }
                return Err(self.failed(parts, why));
            }
        };
        for &(index, _) in self.along {
            if let Some(rate) = self.sample_rate(&pieces, index) {
                notes.push(format!(
                    "its sound (stream {index}) is converted to {rate} Hz, because its pause is too long for more"
                ));
            }
        }
        let pictures = Numbered::of(&joined.file);
        let files = pictures.as_ref().map(|pictures| pictures.numbers().len() as u64);
        let counted = files.or(joined.frames.filter(|_| !film.container.is_animation()));
        let missing = counted.map_or(0, |counted| parts.frames().saturating_sub(counted));
        if missing > 0 && self.remove_damaged(parts) {
            joined.remove();
            let reason = format!("{missing} frames are missing in the encoded parts");
            return Err(self.failed(parts, reason));
        }
        let publish = |from: &Path, to: &Path| {
            disk::publish(from, to, film.existing).map_err(|e| self.failed(parts, e.to_string()))
        };
        let Some((outputs, pictures)) = Numbered::of(film.output).zip(pictures) else {
            publish(&joined.file, film.output)?;
            return Ok(missing);
        };
        // The first one last: without it the film continues. Those that an interrupted run has published are the same.
        for number in pictures.numbers().into_iter().rev() {
            let (from, to) = (pictures.path(number), outputs.path(number));
            if !fs::read(&to).is_ok_and(|there| fs::read(&from).is_ok_and(|bytes| bytes == there)) {
                publish(&from, &to)?;
            }
        }
        Ok(missing)
    }

    fn failed(&self, parts: &Parts, reason: String) -> RenderError {
        let (frames, folder) = (parts.frames(), parts.shown().display().to_string());
        match frames {
            0 => FilmError::file(self.film.output.display(), reason).into(),
            _ => RenderError::Stopped { reason, frames, parts: folder },
        }
    }

    fn everything(&self) -> Extras {
        Extras { along: self.along.clone(), is_described: true }
    }

    fn seconds(&self, ticks: i64) -> f64 {
        let (over, under) = self.stream.tick;
        ticks as f64 * over as f64 / under as f64
    }

    /// Joins the pieces with as much of the source as can be stored: pictures that are painted always end in a film.
    fn most(&self, pieces: &Pieces<'_>, notes: &mut Vec<String>) -> Result<Joined, String> {
        let why = match self.attempt(pieces, &self.everything()) {
            Ok(joined) => return Ok(joined),
            Err(why) => why,
        };
        let fits = |extras: Extras| self.attempt(pieces, &extras).map(Joined::remove).is_ok();
        // If the pictures alone cannot be joined, the source is not the reason.
        if why.contains(FULL) || self.is_source_gone() || !fits(Extras::default()) {
            return Err(why);
        }
        let mut kept = Extras::default();
        for &(index, codec) in self.along {
            let other = self.film.clip.others.iter().find(|other| other.index == index);
            let (kind, name) = other.map_or(("", ""), |other| (&other.kind, &other.codec));
            let encoder = self.film.container.sound_encoder();
            let can_encode = kind == "audio" && self.tools.ffmpeg.has(encoder);
            let codecs = [codec].into_iter().chain(can_encode.then_some(encoder));
            let is_stored = |codec: &&'static str| {
                fits(Extras { along: vec![(index, *codec)], is_described: false })
            };
            match codecs.unique().find(is_stored) {
                Some(found) => {
                    if found != codec {
                        notes.push(format!(
                            "its sound (stream {index}, {name}) is damaged and encoded again"
                        ));
                    }
                    kept.along.push((index, found));
                }
                None => notes.push(format!("not copied: stream {index} ({kind}, {name})")),
            }
        }
        for is_described in [true, false] {
            kept.is_described = is_described;
            if self.tools.control.is_cancelled() {
                return Err(why);
            }
            if let Ok(joined) = self.attempt(pieces, &kept) {
                if !is_described {
                    notes.push("title, date and chapters are not copied".to_owned());
                }
                return Ok(joined);
            }
        }
        notes.push(format!("only its pictures are stored: {why}"));
        self.attempt(pieces, &Extras::default())
    }

    /// Joins the pieces with these extras.
    fn attempt(&self, pieces: &Pieces<'_>, extras: &Extras) -> Result<Joined, String> {
        if self.tools.control.is_cancelled() {
            return Err("stopped".to_owned());
        }
        let (film, container, parts) = (self.film, self.film.container, pieces.parts);
        let source = path::absolute(film.source).map_err(|e| disk::reason(&e))?;
        let mut reading = Reading { source: &source, ..film.reading(0) };
        if pieces.is_trial {
            let end = reading.range.start.unwrap_or(0.0) + TRIAL_SECONDS;
            reading.range.end = Some(reading.range.end.map_or(end, |last| last.min(end)));
        }
        let has_source = film.clip.reader == Reader::File
            && !container.is_animation()
            && (extras.is_described || !extras.along.is_empty());
        let Aside { subtitles, chapters } = match has_source && film.range != Range::default() {
            true => self.aside(pieces, &reading, extras)?,
            false => Aside::default(),
        };
        parts.write_list(&self.list(pieces)).map_err(|e| e.to_string())?;
        let extension = match container {
            Pictures(format) => format!("%05d.{format}"),
            other => other.muxer().to_owned(),
        };
        let file = parts.unfinished("joined", &extension).map_err(|e| e.to_string())?;
        let mut command = self.command();
        // The names in the list are relative to its address, in which some characters have a meaning.
        command.current_dir(parts.folder());
        if !container.is_animation() {
            let start = pieces.list.first().map_or(0.0, |part| self.seconds(part.ticks));
            command.args(["-itsoffset", &decimal(start + reading.beginning())]);
        }
        Input::Parts(Path::new(LIST)).add_to(&mut command);
        let frames = pieces.list.iter().map(|part| part.frames).sum();
        if container.is_animation() {
            command
                .args(animation(film, self.stream.tick, pieces.last.map(|(_, shown)| shown)))
                .args(self.tools.ffmpeg.every_picture());
        } else {
            command.arg("-copyts");
            let strips = film.strips_metadata || film.strips_location;
            let is_mov = matches!(container, Container::Mp4 | Container::Mov);
            let (mut metadata, mut described_by) = ("-1", "-1".to_owned());
            if has_source {
                reading.add_source(&mut command);
                let subtitles = subtitles.as_deref().map(|path| Input::Video(name(path)));
                let chapters = chapters.as_deref().map(|path| Input::Chapters(name(path)));
                let files = || subtitles.iter().chain(&chapters);
                for file in files() {
                    file.add_to(command.arg("-copyts"));
                }
                if film.range.start.is_some() {
                    // Sound before the beginning is left out; a container without edit lists would play it.
                    command.args(["-copypriorss", "0"]);
                }
                if extras.is_described {
                    metadata = "1";
                    described_by = (1 + files().count()).to_string();
                }
            }
            command.args(["-map_chapters", &described_by]);
            if strips {
                // Titles of chapters stay.
                command.args("-map_metadata:g -1 -map_metadata:s -1".split(' '));
                if film.strips_metadata || !film.clip.has_plain_chapters {
                    command.args(["-map_metadata:c", "-1"]);
                }
                if extras.is_described {
                    add_tags(&mut command, film, "-metadata", &film.clip.about);
                }
            } else {
                command.args(["-map_metadata", metadata]);
            }
            command.args(["-output_ts_offset", &decimal(-reading.beginning())]);
            command.args("-map 0:v:0 -c:v:0 copy".split(' '));
            let mut whole = 0;
            for (number, &(index, mut codec)) in (1..).zip(&extras.along) {
                let other = film.clip.others.iter().find(|other| other.index == index);
                if let Some(rate) = self.sample_rate(pieces, index) {
                    codec = container.sound_encoder();
                    command.args([format!("-ar:{number}"), rate.to_string()]);
                }
                let tags = other.filter(|_| !film.strips_metadata).map(|other| &other.tags);
                let is_title = |(name, _): &&(String, String)| TITLES.contains(&name.as_str());
                if let Some((_, title)) = tags.and_then(|tags| tags.iter().find(is_title)) {
                    // Many programs show the name of the handler.
                    let names = if is_mov { &["title", "handler_name"][..] } else { &["title"] };
                    for name in names {
                        let option = format!("-metadata:s:{number}");
                        command.args([option, format!("{name}={title}")]);
                    }
                }
                if let Some(other) = other.filter(|_| strips) {
                    add_tags(&mut command, film, &format!("-metadata:s:{number}"), &other.tags);
                    // A cover has metadata of its own.
                    codec = match other.codec.as_str() {
                        _ if !other.is_cover => codec,
                        "mjpeg" => "mjpeg",
                        _ => "png",
                    };
                }
                if subtitles.is_none() || !is_subtitle(film, index) {
                    command.args(copied(&[(index, codec)], 1, number));
                    continue;
                }
                command.args(["-map", &format!("2:{whole}"), &format!("-c:{number}"), "copy"]);
                command.args([format!("-copypriorss:{number}"), "1".to_owned()]);
                command.args([format!("-bsf:{number}"), cut(&reading)]);
                whole += 1;
            }
            if extras.is_described {
                if let Some((last, shown)) = pieces.last
                    && self.tools.ffmpeg.sets_durations
                {
                    command.args(["-bsf:v:0", &last_duration(film, frames, last, shown)]);
                }
                let has_first = film.range.start.is_none() && film.fps.is_none();
                let is_kept = |(name, _): &&(String, String)| has_first || name != TIMECODE;
                let tags = film.clip.tags.iter().filter(is_kept);
                add_tags(&mut command, film, "-metadata:s:v:0", tags);
                if !has_first {
                    command.args(["-metadata", &format!("{TIMECODE}=")]);
                }
            }
            if film.codec == Codec::Hevc && container != Container::Mkv {
                command.args(["-tag:v:0", "hvc1"]);
            }
            command.args(["-video_track_timescale", &self.ticks_per_second(pieces), "-movflags"]);
            // Tags with names of their own are not stored otherwise. Those of the container would be stored, too.
            let is_own = |(name, _): &(String, String)| {
                name.contains('.') || OF_CAMERA.contains(&name.as_str())
            };
            if is_mov && extras.is_described && film.clip.about.iter().any(is_own) {
                command.arg("+faststart+use_metadata_tags");
                for name in ["major_brand", "minor_version", "compatible_brands"] {
                    command.args(["-metadata", &format!("{name}=")]);
                }
            } else {
                command.arg("+faststart");
            }
        }
        command.args(["-f", container.muxer(), "-y"]).arg(ffmpeg::file(name(&file)));
        let size =
            |part: &Part| fs::metadata(parts.folder().join(&part.name)).map(|file| file.len());
        let bytes = pieces.list.iter().filter_map(|part| size(part).ok()).sum();
        let encoded = if container.is_animation() { frames } else { 0 };
        let mut joined = self.run(command, bytes, encoded);
        if let Ok(Some(frames)) = joined
            && !pieces.is_trial
            && !container.is_animation()
        {
            joined = match self.count(&file).and_then(|ended| self.frames(ended)) {
                Ok(Some(stored)) if stored < frames => {
                    Err(format!("only {stored} of its {frames} frames are in the joined file"))
                }
                Ok(_) => Ok(Some(frames)),
                Err(why) => Err(why),
            };
        }
        if let (Ok(_), WebP, Some((last, shown))) = (&joined, container, pieces.last) {
            let start = pieces.list.first().map_or(0.0, |part| self.seconds(part.ticks));
            if let Err(e) = set_webp_length(&file, last + shown - start) {
                joined = Err(disk::reason(&e));
            }
        }
        match joined {
            Ok(frames) => Ok(Joined { file, frames }),
            Err(why) => {
                Joined { file, frames: None }.remove();
                let needed = format!("; it needs about {:.1} MB", bytes as f64 / 1e6);
                Err(if why.contains(FULL) { why + &needed } else { why })
            }
        }
    }

    /// Ticks per second of the film. MP4 and MOV cannot store the largest gap between two parts in too many.
    fn ticks_per_second(&self, pieces: &Pieces<'_>) -> String {
        let (over, under) = self.stream.tick;
        (under / (pieces.largest_gap().saturating_mul(over) / i32::MAX as u64 + 1))
            .max(1)
            .to_string()
    }

    /// The highest sampling rate of a stream's sound at which MP4 and MOV can store the largest gap, if its own is too high.
    fn sample_rate(&self, pieces: &Pieces<'_>, index: u64) -> Option<u64> {
        let film = self.film;
        let seconds = self.seconds(pieces.largest_gap() as i64);
        let is_stored = |rate: &u64| *rate as f64 * seconds < f64::from(i32::MAX);
        let other = film.clip.others.iter().find(|other| other.index == index)?;
        other.sample_rate.filter(|rate| !is_stored(rate))?;
        let is_mov = matches!(film.container, Container::Mp4 | Container::Mov);
        SAMPLE_RATES.into_iter().find(is_stored).filter(|_| is_mov)
    }

    /// The list of parts for ffmpeg. Their names have no character with a meaning in it.
    fn list(&self, pieces: &Pieces<'_>) -> String {
        let mut list = "ffconcat version 1.0\n".to_owned();
        for (next, part) in (1..).zip(pieces.list) {
            // Writing to a string does not fail.
            writeln!(list, "file {}", part.name).ok();
            if let Some(next) = pieces.list.get(next) {
                let seconds = self.seconds(next.ticks.saturating_sub(part.ticks));
                writeln!(list, "duration {}", decimal(seconds)).ok();
            }
        }
        list
    }

    /// Removes the first damaged part and those after it, so that they are painted again. Returns whether there is one.
    fn remove_damaged(&self, parts: &mut Parts) -> bool {
        let damaged = parts.list().iter().position(|part| self.is_damaged(parts, part));
        if let Some(number) = damaged {
            parts.remove_from(number);
        }
        damaged.is_some()
    }

    /// True if the part is no video, or has other frames than its name says. Any other failure says nothing about it.
    fn is_damaged(&self, parts: &Parts, part: &Part) -> bool {
        let Ok(ended) = self.count(&parts.folder().join(&part.name)) else { return false };
        let is_invalid = String::from_utf8_lossy(&ended.errors).contains(INVALID);
        self.frames(ended)
            .map_or(is_invalid, |found| found.is_some_and(|found| found != part.frames))
    }

    /// Reads a video to its end, to count its frames.
    fn count(&self, video: &Path) -> Result<ProcessResult, String> {
        let mut command = self.command();
        Input::Video(video).add_to(&mut command);
        command.args("-map 0:v:0 -c copy -copyinkf -copypriorss 1 -f null".split(' ')).arg(NOWHERE);
        let bytes = fs::metadata(video).map_or(0, |about| about.len());
        self.ended(command, bytes, 0)
    }

    /// ffmpeg, which reports at its end how many frames it has written.
    fn command(&self) -> Command {
        let mut command = self.tools.ffmpeg.command();
        // Earlier versions have only one report a half second.
        if self.tools.ffmpeg.sets_durations {
            command.args("-stats_period 1000000 -progress pipe:1".split(' '));
        }
        command
    }

    /// Runs a command that reads the source and other files of this size, and encodes this number of frames. Returns how
    /// many it reports.
    fn run(&self, command: Command, bytes: u64, encoded: u64) -> Result<Option<u64>, String> {
        self.ended(command, bytes, encoded).and_then(|ended| self.frames(ended))
    }

    /// As [`Self::run`]; the process may have failed.
    fn ended(
        &self,
        mut command: Command,
        bytes: u64,
        encoded: u64,
    ) -> Result<ProcessResult, String> {
        let bytes = bytes + fs::metadata(self.film.source).map_or(0, |about| about.len());
        let patience = MIN_PATIENCE + Duration::from_secs((bytes >> 20) + encoded);
        if encoded == 0 {
            // Packets wait for those of other streams, but not more than there are.
            process::limit_memory(&mut command, most_bytes(bytes));
        }
        process::run(command, patience, &self.tools.control).map_err(cannot_join)
    }

    /// The number of frames that a process reports.
    fn frames(&self, ended: ProcessResult) -> Result<Option<u64>, String> {
        let torn = || ffmpeg::unwritten(&String::from_utf8_lossy(&ended.errors));
        match ended.failure().or_else(torn) {
            None => {
                let report = String::from_utf8_lossy(&ended.output);
                let frames = report.lines().rev().find_map(|line| line.strip_prefix("frame="));
                Ok(frames.and_then(|frames| frames.trim().parse().ok()))
            }
            Some(_) if self.is_source_gone() => {
                Err(format!("{} is gone; put it back", self.film.clip.name))
            }
            Some(why) => Err(cannot_join(why)),
        }
    }

    fn is_source_gone(&self) -> bool {
        self.film.clip.reader == Reader::File && !self.film.source.exists()
    }

    /// Writes the files. From the source itself, ffmpeg would leave out subtitles that begin before the part, place
    /// those wrongly that it converts, and copy chapters as they are.
    fn aside(
        &self,
        pieces: &Pieces<'_>,
        reading: &Reading<'_>,
        extras: &Extras,
    ) -> Result<Aside, String> {
        let film = self.film;
        let mut command = self.command();
        if pieces.is_trial {
            reading.add_source(&mut command);
        } else {
            Input::Video(reading.source).add_to(command.arg("-copyts"));
        }
        let subtitles = extras.along.iter().filter(|(index, _)| is_subtitle(film, *index));
        let whole: Along = subtitles.copied().collect();
        let has_subtitles = !whole.is_empty() && self.tools.ffmpeg.sets_durations;
        let muxer = film.container.muxer();
        let unfinished =
            |what: &str, muxer| pieces.parts.unfinished(what, muxer).map_err(|e| e.to_string());
        let subtitles = has_subtitles.then(|| unfinished("subtitles", muxer)).transpose()?;
        if let Some(path) = &subtitles {
            command.args(copied(&whole, 0, 0)).args(["-f", muxer, "-y"]).arg(ffmpeg::file(path));
        }
        let chapters = extras.is_described.then(|| unfinished("chapters", "txt")).transpose()?;
        if let Some(path) = &chapters {
            let Range { start, end } = reading.range;
            // Leaves out chapters that only touch an end of the film.
            const INSIDE: f64 = 1e-6;
            command.args(["-ss", &decimal(reading.beginning() + INSIDE)]);
            if let Some(end) = end {
                command.args(["-t", &decimal(end - start.unwrap_or(0.0) - 2.0 * INSIDE)]);
            }
            command.args("-map_chapters 0 -f ffmetadata -y".split(' ')).arg(ffmpeg::file(path));
        }
        if subtitles.is_some() || chapters.is_some() {
            self.run(command, 0, 0)?;
        }
        Ok(Aside { subtitles, chapters })
    }
}

fn cannot_join(why: String) -> String {
    format!("ffmpeg cannot join the film: {why}")
}

/// The path of a file in the folder of parts, for a command that runs there.
fn name(path: &Path) -> &Path {
    path.file_name().map_or(path, Path::new)
}

/// Adds the tags that are not left out.
fn add_tags<'a>(
    command: &mut Command,
    film: &Film<'_>,
    option: &str,
    tags: impl IntoIterator<Item = &'a (String, String)>,
) {
    for (name, value) in tags {
        let has = |list: &[&str]| list.contains(&name.as_str());
        let is_kept = has(&OF_PLAYING)
            || !film.strips_metadata && (!film.strips_location || has(&WITHOUT_PLACE));
        if is_kept {
            command.args([option, &format!("{name}={value}")]);
        }
    }
}

fn is_subtitle(film: &Film<'_>, index: u64) -> bool {
    film.clip.others.iter().any(|other| other.index == index && other.kind == "subtitle")
}

/// Files with what is cut at the ends of a film that is a part of its clip.
#[derive(Default)]
struct Aside {
    /// The subtitles, whole and as they will be stored; [`cut`] shortens them. `None` if there are none.
    subtitles: Option<PathBuf>,
    /// The chapters of the film.
    chapters: Option<PathBuf>,
}

/// The filter of packets that drops subtitles outside of the film, and shortens those across its ends.
fn cut(reading: &Reading<'_>) -> String {
    let start = decimal(reading.beginning());
    let end = decimal(reading.clip.start + reading.range.end.unwrap_or(FOREVER));
    let begin = format!("max(PTS\\,{start}/TB)");
    let length = format!("min(PTS+DURATION\\,{end}/TB)-{begin}");
    format!(
        "noise=drop=lt((pts+duration)*tb\\,{start})+gte(pts*tb\\,{end}),\
         setts=pts={begin}:dts={begin}:duration={length}"
    )
}

/// Options that add the other streams of the input with this number, the first of them as stream `first`.
fn copied(along: &[(u64, &str)], input: usize, first: usize) -> Vec<String> {
    let mut options = Vec::new();
    for ((index, codec), number) in along.iter().zip(first..) {
        options.extend(["-map".to_owned(), format!("{input}:{index}")]);
        options.extend([format!("-c:{number}"), (*codec).to_owned()]);
        if *codec == OPUS {
            // The layouts that it takes.
            let layouts = "aformat=channel_layouts=7.1|5.1|stereo|mono";
            options.extend([format!("-filter:{number}"), layouts.to_owned()]);
        }
    }
    options
}

/// The filter of packets that shows the last of `frames` frames, which begins at `last` seconds of the film, for `shown`
/// seconds. MP4 and MOV add up the packets in the order of decoding, so the last one of these fills the rest, if there is
/// one. In the others, a packet ends at its own time and duration.
fn last_duration(film: &Film<'_>, frames: u64, last: f64, shown: f64) -> String {
    let last = last + film.reading(0).beginning();
    let end = format!("round({:.6}/TB)", last + shown);
    let mut duration = format!("if(gt(PTS*TB\\,{last:.6}-TB/2)\\,{end}-PTS\\,DURATION)");
    if matches!(film.container, Container::Mp4 | Container::Mov) {
        let (number, rest) = (frames - 1, format!("{end}-STARTPTS-DTS+STARTDTS"));
        duration = format!("if(eq(N\\,{number})*gt(st(0\\,{rest})\\,0)\\,ld(0)\\,{duration})");
    }
    format!("setts=pts=PTS:dts=DTS:duration={duration}")
}

/// Options that make an animation of lossless pictures, the last of which is shown for `seconds` seconds.
fn animation(film: &Film<'_>, (over, under): (u64, u64), last: Option<f64>) -> Vec<String> {
    let plays = film.clip.plays.unwrap_or(0);
    // Without it ffmpeg moves frames to multiples of a rate that it guesses.
    let clock = format!("-enc_time_base:v {over}:{under}");
    // The most that the formats can hold; ffmpeg refuses more.
    let delay = |per_second: f64, most: f64| {
        last.map_or(-1.0, |seconds| (seconds * per_second).round().min(most))
    };
    let text = match film.container {
        // A palette for each picture; one for all would need the whole film in memory.
        Gif => format!(
            "-filter_complex [0:v]split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1 \
             -c:v gif -loop {} -final_delay {}",
            if plays == 1 { -1 } else { i32::from(plays) },
            delay(100.0, 65_535.0)
        ),
        Apng => {
            let delay = delay(1000.0, 65_535_000.0).max(0.0);
            format!("-c:v apng {clock} -plays {plays} -final_delay {delay}/1000")
        }
        Pictures(Format::Jpeg) => {
            format!("-c:v mjpeg -pix_fmt yuvj444p -q:v {}", (100 - film.quality) / 4 + 1)
        }
        Pictures(Format::WebP) => "-c:v libwebp -lossless 1".to_owned(),
        Pictures(format) => {
            let pixels = if film.clip.has_alpha { "rgba" } else { "rgb24" };
            format!("-c:v {format} -pix_fmt {pixels}")
        }
        _ => format!("-c:v libwebp_anim {clock} -loop {plays} -quality {}", film.quality),
    };
    text.split(' ').map(str::to_owned).collect()
}
