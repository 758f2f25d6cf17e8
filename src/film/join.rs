//! Joins the parts, and adds the sound, subtitles and chapters of the source, without encoding anything again.

use std::{fmt::Write, fs, time::Duration};

use super::{
    FilmError, Tools, decimal,
    job::Film,
    parts::{self, LIST, Parts},
    plain,
};
use crate::{
    disk,
    media::{ffmpeg, process},
};

/// How long joining may take, for each megabyte and at least.
const PATIENCE_PER_MB: Duration = Duration::from_secs(1);
const MIN_PATIENCE: Duration = Duration::from_secs(120);

/// Writes the film under its name.
///
/// # Errors
/// [`FilmError::Stopped`] with the reason; the parts stay.
pub fn join(
    tools: &Tools,
    film: &Film<'_>,
    parts: &Parts,
    tick: (u64, u64),
    along: &[(u64, &str)],
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
    if container.is_animation() {
        command.args(animation(film)).args(tools.ffmpeg.every_picture());
    } else {
        command.args(film.input_options()).arg("-i").arg(ffmpeg::file(film.source));
        command.args(["-output_ts_offset", &decimal(-film.beginning())]);
        if film.range.start.is_some() {
            // Sound before the beginning is left out; a container without edit lists would play it.
            command.args(["-copypriorss", "0"]);
        }
        command.args("-map 0:v:0 -c:v:0 copy -map_metadata 1".split(' '));
        command.args(["-map_chapters", "1"]);
        for (number, (index, codec)) in along.iter().enumerate() {
            command.args(["-map", &format!("1:{index}"), &format!("-c:{}", number + 1), codec]);
        }
        for (key, value) in &film.clip.tags {
            command.args(["-metadata:s:v:0", &format!("{key}={value}")]);
        }
        if film.codec == super::Codec::Hevc && container != super::Container::Mkv {
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
pub fn try_along(tools: &Tools, film: &Film<'_>, along: &[(u64, &str)]) -> Result<(), FilmError> {
    if along.is_empty() {
        return Ok(());
    }
    let mut command = tools.command();
    command.args(["-t", "1", "-i"]).arg(ffmpeg::file(film.source));
    for (number, (index, codec)) in along.iter().enumerate() {
        command.args(["-map", &format!("0:{index}"), &format!("-c:{number}"), codec]);
    }
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

/// Options that make an animation of lossless pictures.
fn animation(film: &Film<'_>) -> Vec<String> {
    use super::Container::{Apng, Gif};
    let text = match film.container {
        // A palette for each picture; one for all would need the whole film in memory.
        Gif => "-filter_complex [0:v]split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1 -c:v gif -loop 0".to_owned(),
        Apng => "-c:v apng -plays 0".to_owned(),
        _ => format!("-c:v libwebp_anim -loop 0 -quality {}", film.quality),
    };
    text.split(' ').map(str::to_owned).collect()
}
