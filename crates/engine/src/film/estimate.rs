//! About how long a film takes, and how large its file becomes, from the first second painted and encoded.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Instant,
};

use super::{
    RenderError,
    job::Film,
    render::{Paint, render},
};
use media::{
    film::{Codec, Container, Decoder, FilmError, Range, Reading, Tools},
    memory::Flow,
};
use values::{
    disk::{self, ExchangeFolder, Existing},
    lock::lock,
};

/// Maximum length of what is painted, in seconds of the film, and about how long that may take; but at least this number
/// of frames.
const FILM_SECONDS: f64 = 1.0;
const PAINT_SECONDS: f64 = 5.0;
const MIN_FRAMES: f64 = 4.0;
/// Frames per second of a film that does not say it.
const USUAL_FPS: f64 = 25.0;
/// By how much a film's frames take less or more time than the first ones.
const TIME_SPREAD: [f64; 2] = [0.9, 1.3];
/// By how much a film's frames take less or more bytes than the first ones: those that are stored alone, and those that
/// are stored as changes, of which the first one is whole.
const WHOLE_SPREAD: [f64; 2] = [0.8, 1.25];
const CHANGES_SPREAD: [f64; 2] = [0.5, 1.3];

/// Minimum and maximum of what a film takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub seconds: [f64; 2],
    pub bytes: [u64; 2],
}

impl Estimate {
    /// The time as text, with one unit: `30 to 40 s`.
    pub fn time_text(&self) -> String {
        let [least, most] = self.seconds;
        let (unit, seconds) = match most {
            ..90.0 => ("s", 1.0),
            90.0..5400.0 => ("min", 60.0),
            _ => ("h", 3600.0),
        };
        // Two digits at most seem precise enough.
        let step = if most / seconds > 20.0 { 5.0 } else { 1.0 };
        let [least, most] = [(least / seconds / step).floor(), (most / seconds / step).ceil()]
            .map(|count| count * step);
        match least {
            _ if most <= 1.0 && unit == "s" => "1 s".to_owned(),
            0.0 => format!("up to {most} {unit}"),
            _ if least == most => format!("{most} {unit}"),
            _ => format!("{least} to {most} {unit}"),
        }
    }
}

/// Paints the beginning of a film with [`render`] into a temporary folder. `None` if the film's length is not known.
///
/// # Errors
/// [`RenderError`].
pub fn estimate(
    tools: &Tools,
    film: &Film<'_>,
    flow: Flow,
    paint: &Paint<'_>,
) -> Result<Option<Estimate>, RenderError> {
    let Some(all) = film.frames().filter(|frames| *frames > 0) else { return Ok(None) };
    let fps = film.fps.map(|(over, under)| over as f64 / under as f64).or(film.clip.fps);
    let frame = 1.0 / fps.unwrap_or(USUAL_FPS);
    let start = film.range.start.unwrap_or(0.0);
    // The first frame also prepares the network.
    let most = PAINT_SECONDS / first_seconds(tools, film, flow, paint)? * frame;
    let least = MIN_FRAMES * frame;
    // Between two frames, because times are rounded.
    let end = start + most.clamp(least, least.max(FILM_SECONDS)) - frame / 2.0;
    let end = film.range.end.unwrap_or(f64::INFINITY).min(end);
    let failed = |error| FilmError::file(film.output.display(), disk::reason(&error));
    let folder = ExchangeFolder::empty().map_err(failed)?;
    let name = film.output.file_name().unwrap_or_default();
    let output = folder.path().join(name);
    let range = Range { end: Some(end), ..film.range };
    let sample = Film { output: &output, existing: Existing::Keep, range, ..film.clone() };
    let (began, painted) = (Instant::now(), Mutex::new(None));
    let rendered = render(tools, &sample, flow, paint, &|_, frames| {
        if frames > 0 {
            let now = Instant::now();
            lock(&painted).get_or_insert((now, now)).1 = now;
        }
    })?;
    let (whole, frames) = (began.elapsed(), rendered.frames.max(1));
    let (first, last) = (*lock(&painted)).unwrap_or((began, began));
    let scale = all as f64 / frames as f64;
    // Animations are encoded at the end.
    let end =
        last.elapsed().as_secs_f64() * if film.container.is_animation() { scale } else { 1.0 };
    let each = (last - first).as_secs_f64() / frames.saturating_sub(1).max(1) as f64;
    let seconds = (first - began).as_secs_f64() + each * all.saturating_sub(1) as f64 + end;
    let seconds = seconds.max(whole.as_secs_f64());
    let files = fs::read_dir(folder.path()).map_err(failed)?.flatten();
    let bytes: u64 = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    let spread = match (film.container, film.codec) {
        _ if frames >= all => [1.0, 1.0],
        (Container::Pictures(_), _) => WHOLE_SPREAD,
        (Container::Gif | Container::Apng | Container::WebP, _) => CHANGES_SPREAD,
        (_, Codec::ProRes | Codec::Ffv1) => WHOLE_SPREAD,
        _ => CHANGES_SPREAD,
    };
    Ok(Some(Estimate {
        seconds: TIME_SPREAD.map(|factor| factor * seconds),
        bytes: spread.map(|factor| (factor * scale * bytes as f64) as u64),
    }))
}

/// How long the first frame takes on the device, in seconds; 0 if nothing is painted.
fn first_seconds(
    tools: &Tools,
    film: &Film<'_>,
    flow: Flow,
    paint: &Paint<'_>,
) -> Result<f64, RenderError> {
    if film.stylization.look.strength_percent == 0 {
        return Ok(0.0);
    }
    let mut decoder = Decoder::start(tools, &Reading { flow, ..film.reading(0) })?;
    let Some((_, frame)) = decoder.next_picture()? else { return Ok(0.0) };
    let frame = if film.framing.is_plain() { frame } else { film.framing.applied(&frame)? };
    let painted = paint(&[&Arc::new(frame)], None)?;
    Ok(painted.first().map_or(0.0, |painting| painting.run.total_ms / 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_to_what_is_known_of_them() {
        for (seconds, text) in [
            ([0.2, 0.4], "1 s"),
            ([0.4, 2.2], "up to 3 s"),
            ([8.1, 11.7], "8 to 12 s"),
            ([31.0, 39.0], "30 to 40 s"),
            ([80.0, 116.0], "1 to 2 min"),
            ([1800.0, 2600.0], "30 to 45 min"),
            ([7200.0, 7200.0], "2 h"),
        ] {
            assert_eq!(Estimate { seconds, bytes: [0, 0] }.time_text(), text);
        }
    }
}
