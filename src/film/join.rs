//! Joins the parts, and adds the sound, subtitles and chapters of the source, without encoding anything again.

use std::{fmt::Write, fs, time::Duration};

use super::{
    Codec, Container, FilmError, Tools, decimal,
    job::Film,
    parts::{self, LIST, Parts},
    plain,
    target::{Along, OPUS},
};
use crate::{
    disk,
    media::{ffmpeg, process},
};

/// How long joining may take, for each megabyte and at least.
const PATIENCE_PER_MB: Duration = Duration::from_secs(1);
const MIN_PATIENCE: Duration = Duration::from_secs(120);

/// Writes the film under its name. `tick` is in seconds; `is_whole` says whether the source could be read to its end.
///
/// # Errors
/// [`FilmError::Stopped`] with the reason; the parts stay.
pub fn join(
    tools: &Tools,
    film: &Film<'_>,
    parts: &Parts,
    (tick, is_whole): ((u64, u64), bool),
    along: &Along,
) -> Result<(), FilmError> {
    let folder = parts.folder();
    let stopped = |reason: String| FilmError::Stopped {
        reason,
        frames: parts.frames(),
        parts: folder.display().to_string(),
    };
    let seconds = |ticks: i64| ticks as f64 * tick.0 as f64 / tick.1 as f64;
    let mut list = "ffconcat version 1.0\n".to_owned();
    let starts: Vec<i64> = parts.list().iter().map(|part| part.ticks).collect();
    for (number, part) in parts.list().iter().enumerate() {
        // Writing to a string does not fail.
        writeln!(list, "file {}", part.name).ok();
        if let Some(next) = starts.get(number + 1) {
            writeln!(list, "duration {}", decimal(seconds(next - part.ticks))).ok();
        }
    }
    let list_path = folder.join(LIST);
    parts::write(&list_path, list.as_bytes()).map_err(|e| stopped(e.to_string()))?;

    let container = film.container;
    let joined = parts.unfinished("joined", container.muxer());
    let mut command = tools.command();
    if !container.is_animation() {
        let start = starts.first().map_or(0.0, |&ticks| seconds(ticks));
        command.args(["-itsoffset", &decimal(start + film.beginning())]);
    }
    command.args(["-f", "concat", "-i"]).arg(ffmpeg::file(&list_path));
    let last = parts.list().last().map(|part| seconds(part.last)).filter(|_| is_whole);
    let last = last.and_then(|last| Some((last, film.last_frame_seconds(last)?)));
    if container.is_animation() {
        command
            .args(animation(film, last.map(|(_, shown)| shown)))
            .args(tools.ffmpeg.every_picture());
    } else {
        command.args(film.input_options()).arg("-i").arg(ffmpeg::file(film.source));
        command.args(["-output_ts_offset", &decimal(-film.beginning())]);
        if film.range.start.is_some() {
            // Sound before the beginning is left out; a container without edit lists would play it.
            command.args(["-copypriorss", "0"]);
        }
        command.args("-map 0:v:0 -c:v:0 copy -map_metadata 1".split(' '));
        command.args(["-map_chapters", "1"]);
        command.args(copied(along, 1, 1));
        if let Some((last, shown)) = last.filter(|_| tools.ffmpeg.sets_durations()) {
            command.args(["-bsf:v:0", &last_duration(film, parts.frames(), last, shown)]);
        }
        for (key, value) in &film.clip.tags {
            command.args(["-metadata:s:v:0", &format!("{key}={value}")]);
        }
        if film.codec == Codec::Hevc && container != Container::Mkv {
            command.args(["-tag:v:0", "hvc1"]);
        }
        command.args(["-video_track_timescale", &tick.1.to_string(), "-movflags", "+faststart"]);
    }
    command.args(["-f", container.muxer(), "-y"]).arg(ffmpeg::file(&joined));
    let bytes = fs::metadata(film.source).map_or(0, |about| about.len());
    let limit = MIN_PATIENCE + PATIENCE_PER_MB * u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
    let ended = process::run(command, limit)
        .map_err(|why| stopped(format!("ffmpeg cannot join the film: {why}")))?;
    if let Some(failure) = ended.failure() {
        fs::remove_file(&joined).ok();
        return Err(stopped(format!("ffmpeg cannot join the film: {}", plain(&failure))));
    }
    disk::publish(&joined, film.output, film.existing).map_err(|e| stopped(e.to_string()))
}

/// Checks that the other streams of the source can be copied, so that a long film is not painted in vain.
///
/// # Errors
/// [`FilmError::Target`] with the reason.
pub fn try_along(tools: &Tools, film: &Film<'_>, along: &Along) -> Result<(), FilmError> {
    if along.is_empty() {
        return Ok(());
    }
    let mut command = tools.command();
    command.args(["-t", "1", "-i"]).arg(ffmpeg::file(film.source));
    command.args(copied(along, 0, 0));
    let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
    command.args(["-f", film.container.muxer(), "-y", nowhere]);
    let failure = match process::run(command, MIN_PATIENCE) {
        Ok(ended) => ended.failure(),
        Err(why) => Some(why),
    };
    let Some(failure) = failure else {
        return Ok(());
    };
    Err(FilmError::Target {
        name: film.output.display().to_string(),
        reason: format!(
            "the sound or subtitles of {} cannot be stored in {} ({}); give a name that ends in .mkv",
            film.clip.name,
            film.container.name(),
            plain(&failure)
        ),
    })
}

/// Options that add the other streams of the input with this number, the first of them as stream `first`.
fn copied(along: &Along, input: usize, first: usize) -> Vec<String> {
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
/// seconds. MP4 adds up the packets in the order of decoding, so the last one of these fills the rest.
fn last_duration(film: &Film<'_>, frames: u64, last: f64, shown: f64) -> String {
    let last = last + film.beginning();
    let (end, number) = (last + shown, frames - 1);
    format!(
        "setts=pts=PTS:dts=DTS:duration=if(eq(N\\,{number})\\,round({end:.6}/TB)-STARTPTS-DTS+STARTDTS\\,\
         if(gt(PTS*TB\\,{last:.6}-TB/2)\\,round({end:.6}/TB)-PTS\\,DURATION))"
    )
}

/// Options that make an animation of lossless pictures, the last of which is shown for so many seconds.
fn animation(film: &Film<'_>, last: Option<f64>) -> Vec<String> {
    use Container::{Apng, Gif};
    let delay = |per_second: f64| last.map_or(-1.0, |seconds| (seconds * per_second).round());
    let text = match film.container {
        // A palette for each picture; one for all would need the whole film in memory.
        Gif => format!(
            "-filter_complex [0:v]split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1 \
             -c:v gif -loop 0 -final_delay {}",
            delay(100.0)
        ),
        Apng => format!("-c:v apng -plays 0 -final_delay {}/1000", delay(1000.0).max(0.0)),
        _ => format!("-c:v libwebp_anim -loop 0 -quality {}", film.quality),
    };
    text.split(' ').map(str::to_owned).collect()
}
