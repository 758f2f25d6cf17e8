//! Joins the parts, and adds the sound, subtitles and chapters of the source, without encoding anything again.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    RenderError,
    job::Film,
    parts::{LIST, Parts},
};
use media::{
    ffmpeg,
    film::{
        Along, Codec,
        Container::{self, Apng, Gif, Pictures},
        FilmError, Numbered, OPUS, Range, Reader, Tools, decimal,
    },
};
use pictures::encode::Format;
use threads::process;
use values::disk;

/// How long joining may take at least. Each megabyte of the source, and each frame that is encoded again, adds a second.
const MIN_PATIENCE: Duration = Duration::from_secs(120);

/// Seconds that no film lasts.
const FOREVER: f64 = 1e9;

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

/// Writes the film under its name. `tick` is in seconds; `is_whole` says whether the source could be read to its end.
///
/// # Errors
/// [`RenderError::Stopped`] with the reason; the parts stay.
pub fn join(
    tools: &Tools,
    film: &Film<'_>,
    parts: &Parts,
    (tick, is_whole): ((u64, u64), bool),
    along: &Along,
) -> Result<(), RenderError> {
    let folder = parts.folder();
    let stopped = |reason: String| RenderError::Stopped {
        reason,
        frames: parts.frames(),
        parts: folder.display().to_string(),
    };
    let Aside { subtitles, chapters } = aside(tools, film, parts, along).map_err(stopped)?;
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
    disk::write_bytes(&list_path, list.as_bytes()).map_err(|e| stopped(e.to_string()))?;

    let (container, reading) = (film.container, film.reading(0));
    let strips = film.strips_metadata || film.strips_location;
    let extension = match container {
        Pictures(format) => format!("%05d.{format}"),
        other => other.muxer().to_owned(),
    };
    let joined = parts.unfinished("joined", &extension);
    let pictures = Numbered::of(&joined);
    let mut command = tools.ffmpeg.command();
    if !container.is_animation() {
        let start = starts.first().map_or(0.0, |&ticks| seconds(ticks));
        command.args(["-itsoffset", &decimal(start + reading.beginning())]);
    }
    let (mut list_name, mut joined_name) = (list_path.as_path(), joined.as_path());
    if pictures.is_some() {
        // Its name has a number like those of the pictures.
        command.current_dir(folder);
        list_name = Path::new(LIST);
        joined_name = joined.file_name().map_or(joined_name, Path::new);
    }
    command.args(["-f", "concat", "-i"]).arg(ffmpeg::file(list_name));
    let last = parts.list().last().map(|part| seconds(part.last)).filter(|_| is_whole);
    let last = last.and_then(|last| Some((last, film.last_frame_seconds(last)?)));
    if container.is_animation() {
        command
            .args(animation(film, last.map(|(_, shown)| shown)))
            .args(tools.ffmpeg.every_picture());
    } else {
        command.arg("-copyts");
        if film.clip.reader == Reader::File {
            reading.add_source(&mut command);
            let files = subtitles.iter().chain(&chapters);
            for path in files.clone() {
                command.args(["-copyts", "-i"]).arg(ffmpeg::file(path));
            }
            if film.range.start.is_some() {
                // Sound before the beginning is left out; a container without edit lists would play it.
                command.args(["-copypriorss", "0"]);
            }
            let last = 1 + files.count();
            command.args(["-map_chapters", &last.to_string()]);
            if strips {
                command.args("-map_metadata:g -1 -map_metadata:s -1".split(' '));
                if film.strips_metadata || !film.clip.has_plain_chapters {
                    command.args(["-map_metadata:c", "-1"]);
                }
                add_tags(&mut command, film, "-metadata", &film.clip.about);
            } else {
                command.args(["-map_metadata", "1"]);
            }
        }
        command.args(["-output_ts_offset", &decimal(-reading.beginning())]);
        command.args("-map 0:v:0 -c:v:0 copy".split(' '));
        let mut whole = 0;
        for (number, &(index, mut codec)) in (1..).zip(along) {
            let other = film.clip.others.iter().find(|other| other.index == index);
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
            command.args([format!("-bsf:{number}"), cut(film)]);
            whole += 1;
        }
        if let Some((last, shown)) = last.filter(|_| tools.ffmpeg.sets_durations()) {
            command.args(["-bsf:v:0", &last_duration(film, parts.frames(), last, shown)]);
        }
        add_tags(&mut command, film, "-metadata:s:v:0", &film.clip.tags);
        if film.codec == Codec::Hevc && container != Container::Mkv {
            command.args(["-tag:v:0", "hvc1"]);
        }
        command.args(["-video_track_timescale", &tick.1.to_string(), "-movflags", "+faststart"]);
    }
    command.args(["-f", container.muxer(), "-y"]).arg(ffmpeg::file(joined_name));
    let encoded = if container.is_animation() { parts.frames() } else { 0 };
    if let Err(why) = run(film, command, encoded) {
        fs::remove_file(&joined).ok();
        return Err(stopped(why));
    }
    let publish = |from: &Path, to: &Path| {
        disk::publish(from, to, film.existing).map_err(|e| stopped(e.to_string()))
    };
    let Some((outputs, pictures)) = Numbered::of(film.output).zip(pictures) else {
        return publish(&joined, film.output);
    };
    // The first one last: without it the film continues. Those that an interrupted run has published are the same.
    for number in pictures.numbers().into_iter().rev() {
        let (from, to) = (pictures.path(number), outputs.path(number));
        if !fs::read(&to).is_ok_and(|there| fs::read(&from).is_ok_and(|bytes| bytes == there)) {
            publish(&from, &to)?;
        }
    }
    Ok(())
}

/// Runs a command that reads the source and encodes this number of frames.
fn run(film: &Film<'_>, command: Command, encoded: u64) -> Result<(), String> {
    let bytes = fs::metadata(film.source).map_or(0, |about| about.len());
    let patience = MIN_PATIENCE + Duration::from_secs((bytes >> 20) + encoded);
    process::succeed(command, patience).map_err(|why| {
        if film.clip.reader == Reader::File && !film.source.exists() {
            return format!("{} is gone; put it back", film.clip.name);
        }
        format!("ffmpeg cannot join the film: {why}")
    })
}

/// Adds the tags that are not left out.
fn add_tags(command: &mut Command, film: &Film<'_>, option: &str, tags: &[(String, String)]) {
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

/// Writes the files. From the source itself, ffmpeg would leave out subtitles that begin before the part, place those
/// wrongly that it converts, and copy chapters as they are.
fn aside(tools: &Tools, film: &Film<'_>, parts: &Parts, along: &Along) -> Result<Aside, String> {
    let Range { start, end } = film.range;
    let is_whole = film.range == Range::default() || film.clip.reader != Reader::File;
    if is_whole || film.container.is_animation() {
        return Ok(Aside::default());
    }
    let mut command = tools.ffmpeg.command();
    command.args(["-copyts", "-i"]).arg(ffmpeg::file(film.source));
    let whole: Along =
        along.iter().copied().filter(|(index, _)| is_subtitle(film, *index)).collect();
    let has_subtitles = !whole.is_empty() && tools.ffmpeg.sets_durations();
    let muxer = film.container.muxer();
    let subtitles = has_subtitles.then(|| parts.unfinished("subtitles", muxer));
    if let Some(path) = &subtitles {
        command.args(copied(&whole, 0, 0)).args(["-f", muxer, "-y"]).arg(ffmpeg::file(path));
    }
    let chapters = parts.unfinished("chapters", "txt");
    // Leaves out chapters that only touch an end of the film.
    const INSIDE: f64 = 1e-6;
    command.args(["-ss", &decimal(film.reading(0).beginning() + INSIDE)]);
    if let Some(end) = end {
        command.args(["-t", &decimal(end - start.unwrap_or(0.0) - 2.0 * INSIDE)]);
    }
    command.args("-map_chapters 0 -f ffmetadata -y".split(' ')).arg(ffmpeg::file(&chapters));
    run(film, command, 0).map(|()| Aside { subtitles, chapters: Some(chapters) })
}

/// The filter of packets that drops subtitles outside of the film, and shortens those across its ends.
fn cut(film: &Film<'_>) -> String {
    let start = decimal(film.reading(0).beginning());
    let end = decimal(film.clip.start + film.range.end.unwrap_or(FOREVER));
    let begin = format!("max(PTS\\,{start}/TB)");
    let length = format!("min(PTS+DURATION\\,{end}/TB)-{begin}");
    format!(
        "noise=drop=lt((pts+duration)*tb\\,{start})+gte(pts*tb\\,{end}),\
         setts=pts={begin}:dts={begin}:duration={length}"
    )
}

/// Checks that the other streams of the source can be copied, so that a long film is not painted in vain.
///
/// # Errors
/// [`FilmError::File`] with the reason.
pub fn try_along(tools: &Tools, film: &Film<'_>, along: &Along) -> Result<(), FilmError> {
    if along.is_empty() {
        return Ok(());
    }
    let mut command = tools.ffmpeg.command();
    command.args(["-t", "1", "-i"]).arg(ffmpeg::file(film.source));
    command.args(copied(along, 0, 0));
    let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
    command.args(["-f", film.container.muxer(), "-y", nowhere]);
    process::succeed(command, MIN_PATIENCE).map_err(|failure| {
        let reason = format!(
            "the sound or subtitles of {} cannot be stored in {} ({failure}); give a name that ends in .mkv",
            film.clip.name,
            film.container.name(),
        );
        FilmError::file(film.output.display(), reason)
    })
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
fn animation(film: &Film<'_>, last: Option<f64>) -> Vec<String> {
    let delay = |per_second: f64| last.map_or(-1.0, |seconds| (seconds * per_second).round());
    let text = match film.container {
        // A palette for each picture; one for all would need the whole film in memory.
        Gif => format!(
            "-filter_complex [0:v]split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1 \
             -c:v gif -loop 0 -final_delay {}",
            delay(100.0)
        ),
        Apng => format!("-c:v apng -plays 0 -final_delay {}/1000", delay(1000.0).max(0.0)),
        Pictures(Format::Jpeg) => {
            format!("-c:v mjpeg -pix_fmt yuvj444p -q:v {}", (100 - film.quality) / 4 + 1)
        }
        Pictures(Format::WebP) => "-c:v libwebp -lossless 1".to_owned(),
        Pictures(format) => {
            let pixels = if film.clip.has_alpha { "rgba" } else { "rgb24" };
            format!("-c:v {format} -pix_fmt {pixels}")
        }
        _ => format!("-c:v libwebp_anim -loop 0 -quality {}", film.quality),
    };
    text.split(' ').map(str::to_owned).collect()
}
