//! The threads of a film: one decodes, one for each device paints, one composes, one encodes. This one passes the
//! paintings on in order.

use std::{
    borrow::Cow,
    iter,
    ops::ControlFlow,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};

use super::{
    RenderError,
    job::{Film, first_output},
    join::Join,
    parts::{Parts, tidy},
};
use crate::{
    paint::{PaintError, Painting, Steadying, at_size},
    share_in_order,
    steadied::Steadier,
};
use backend::{RunControl, Steadiness};
use media::{
    encoder::{Encoder, Stoppable},
    film::{
        Along, Container, Decoder, Ending, FilmError, OpenFilm, Range, Reader, Reading, TIMECODE,
        Tools,
    },
    memory::Flow,
    nut::{NutStream, Track},
};
use pictures::alpha::{color_name, flatten};
use threads::{process::spawn_scoped, processors};
use values::{compose::Plane, disk, frame::Frame, lock::lock};

/// How often a waiting thread looks whether the film was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the end of encoding is looked for.
const POLL: Duration = Duration::from_millis(5);

/// Maximum ticks between two frames of a part. MP4 refuses twice as many.
const MAX_PART_TICKS: i64 = (i32::MAX / 2) as i64;

/// How long the part that is being encoded may take to be completed when the film is cancelled.
const CLOSING: Duration = Duration::from_secs(10);

/// A finished film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub frames: u64,
    /// How many of them an interrupted run had painted.
    pub resumed: u64,
    /// Messages for the user.
    pub notes: Vec<String>,
    /// Why the source could not be read to its end.
    pub damage: Option<String>,
}

/// A frame on its way to the encoder.
struct Painted {
    ticks: i64,
    frame: Arc<Frame>,
    /// `None` if strength 0 leaves the frame as it is.
    painting: Option<Painting>,
}

/// Paints frames of one size, and steadies them if the device can do what is asked.
pub type Paint<'a> =
    dyn Fn(&[&Arc<Frame>], Option<&Steadying>) -> Result<Vec<Painting>, PaintError> + Sync + 'a;

/// What is known of a film before it is painted.
pub struct Outlook {
    /// Those of the encoder.
    options: Vec<String>,
    along: Along,
    /// Messages for the user.
    pub notes: Vec<String>,
}

/// Checks that the film can be painted and stored; writes nothing.
///
/// # Errors
/// [`RenderError`].
pub fn check(tools: &Tools, film: &Film<'_>, flow: Flow) -> Result<Outlook, RenderError> {
    let target = |reason: String| FilmError::file(film.output.display(), reason);
    let options = film.encoding(tools, flow).options(film.clip.size).map_err(target)?;
    let (along, mut notes) =
        film.container.companions(tools, film.clip, film.output, film.strips_metadata)?;
    if let Some(curve) = film.clip.colors.hdr() {
        notes.push(format!("the video is HDR ({curve}); it is painted and saved in SDR"));
    } else if film.clip.colors.converted().is_some() {
        notes.push("its wide colours are converted to BT.709".to_owned());
    }
    if film.clip.alpha_decoder.is_some_and(|decoder| !tools.ffmpeg.has(decoder)) {
        let why = "this ffmpeg cannot read the video's transparency; install one with libvpx";
        notes.push(why.to_owned());
    }
    if film.clip.fields().is_some() && film.clip.deinterlaces {
        notes.push("its pictures are interlaced, and are deinterlaced".to_owned());
    }
    let mut tags = film.clip.tags.iter().chain(&film.clip.about);
    let has_timecode = tags.any(|(name, _)| name == TIMECODE);
    if has_timecode && (film.range.start.is_some() || film.fps.is_some()) {
        notes.push("not copied: the timecode, which is that of its first frame".to_owned());
    }
    if matches!(film.clip.reader, Reader::Numbered { .. }) && film.fps.is_none() {
        notes.push("25 pictures are shown per second; choose another rate with --fps".to_owned());
    }
    Ok(Outlook { options, along, notes })
}

/// Paints the film. `paint` paints frames of one size, on a thread for each device; `progress` gets the number of frames
/// that are done, and how many of them this call has painted. The control of `tools` stops it.
///
/// # Errors
/// [`RenderError`]. What is painted before stays in the folder of parts, and the same call continues after it.
pub fn render(
    tools: &Tools,
    film: &Film<'_>,
    flow: Flow,
    paint: &Paint<'_>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Rendered, RenderError> {
    let first = first_output(film.container, film.output);
    if first.exists() {
        tidy(film.output);
    }
    disk::check_target(&first, film.existing)?;
    let Outlook { options, along, mut notes } = check(tools, film, flow)?;
    let (key, state) = (film.key(&options), film.max_state_bytes());
    let mut parts = Parts::open(film.output, &key, state, &tools.control)?;
    let resumed = parts.frames();
    if parts.removed > 0 {
        notes.push(format!(
            "{} frames that were painted with other settings are removed",
            parts.removed
        ));
    }
    if parts.spoilt > 0 {
        notes.push(format!(
            "{} frames are painted again, because a part of the film is damaged or missing",
            parts.spoilt
        ));
    }
    progress(resumed, 0);
    let work = || -> Result<Rendered, RenderError> {
        let (path, clip) = (film.source.to_owned(), film.clip.clone());
        let open = OpenFilm { path, size: clip.size, clip, tools: tools.clone(), flow };
        let (decoder, range) = open.begin(film.range, |range| {
            Decoder::start(tools, &Reading { flow, range, ..film.reading(resumed) })
        })?;
        if decoder.is_empty() {
            return Err(decoder.without_pictures().into());
        }
        let film = Film { range, ..film.clone() };
        let join = Join { tools, film: &film, flow, along: &along, stream: decoder.stream() };
        join.try_out(&parts)?;
        let damage = paint_parts(&join, paint, progress, &mut parts, decoder, &mut notes)?;
        // ffmpeg says nothing of a numbered picture that it cannot read.
        let is_counted =
            matches!(film.clip.reader, Reader::Numbered { .. }) && film.range == Range::default();
        let (frames, all) = (parts.frames(), film.clip.frames.unwrap_or(0));
        let damage = damage.or_else(|| {
            (is_counted && frames < all)
                .then(|| format!("only {frames} of its {all} pictures can be read"))
        });
        let is_cut = film.clip.is_cut && film.range.end.is_none();
        let damage = damage.or_else(|| is_cut.then(|| "it has no end marker".to_owned()));
        let missing = join.finish(&mut parts, damage.is_none(), &mut notes)?;
        let frames = parts.frames() - missing;
        let missing = (missing > 0).then(|| format!("{missing} painted frames cannot be joined"));
        Ok(Rendered { frames, resumed, notes, damage: damage.or(missing) })
    };
    let finished = work().map_err(|error| {
        // Whatever was stopped reports its own error.
        if !tools.control.is_cancelled() {
            return error;
        }
        let folder = parts.shown().display().to_string();
        RenderError::Cancelled { frames: parts.frames(), parts: folder }
    });
    parts.leave(finished.is_ok());
    finished
}

/// Paints what `parts` lacks, and notes if transparent parts of it get a background. Returns why the source could not be
/// read to its end.
fn paint_parts(
    &Join { tools, film, flow, stream, .. }: &Join<'_>,
    paint: &Paint<'_>,
    progress: &(dyn Fn(u64, u64) + Sync),
    parts: &mut Parts,
    mut decoder: Decoder,
    notes: &mut Vec<String>,
) -> Result<Option<String>, RenderError> {
    let (current, last_state, control) = (Mutex::new(None), Mutex::new(None), &*tools.control);
    // Encoders complete their parts when the film is cancelled.
    let encoders = &Tools { control: Arc::default(), ..tools.clone() };
    let (current, last_state) = (&current, &last_state);
    let work =
        Encoding { tools: encoders, film, flow, control, stream, current, last_state, progress };
    let mut steadier = Steadier::new(processors());
    let state = parts.state();
    // Not if a device has saved it.
    steadier.restore(state.as_deref().unwrap_or_default());
    let (sender, painted) = bounded(flow.waiting() + film.batch(flow));
    let (finishing, finished) = bounded(flow.waiting());
    let outcome = thread::scope(|scope| {
        let parts = &mut *parts;
        let finish = || {
            let (has_background, state) = finish_all(film, steadier, painted, &finishing);
            *lock(last_state) = state;
            // Only now: the last part ends with it.
            drop(finishing);
            has_background
        };
        let finishing = spawn_scoped(scope, "film finish", finish).map_err(Ended::Encoder)?;
        let encode = || work.encode(finished, parts);
        let encoding = spawn_scoped(scope, "film encode", encode).map_err(Ended::Encoder)?;
        let read =
            paint_all((film, flow), control, &mut decoder, state.map(Arc::from), paint, &sender);
        if let Err(Ended::Encoder(_) | Ended::Other(_)) = read
            && let Some(encoder) = &*lock(current)
        {
            encoder.kill();
        }
        // Only now: an encoder that sees the end of its pictures completes its part.
        drop(sender);
        let mut cancelled = None;
        while !encoding.is_finished() {
            thread::sleep(POLL);
            let since = cancelled.or_else(|| control.is_cancelled().then(Instant::now));
            cancelled = since;
            if since.is_some_and(|since| since.elapsed() > CLOSING) {
                encoders.control.cancel();
            }
        }
        let encoded = encoding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if finishing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            let name = match film.container {
                Container::Pictures(format) => format.name().to_uppercase(),
                _ => film.codec.title().to_owned(),
            };
            notes.push(format!(
                "{name} has no transparency; the background is {}; the codecs prores (.mov) and ffv1 (.mkv), and GIF, APNG, \
                 WebP and numbered .png, keep it",
                color_name(film.background)
            ));
        }
        read.and(encoded)
    });
    let (frames, place) = (parts.frames(), parts.shown().display().to_string());
    match outcome {
        Ok(()) => {}
        Err(Ended::Cancelled) => return Err(RenderError::Cancelled { frames, parts: place }),
        Err(Ended::Encoder(reason)) => {
            return Err(RenderError::Stopped { reason, frames, parts: place });
        }
        Err(Ended::Other(error)) => return Err(error),
    }
    let Ending { damage, note } = decoder.end();
    notes.extend(note);
    Ok(damage)
}

/// Why the threads ended early.
enum Ended {
    Cancelled,
    Encoder(String),
    Other(RenderError),
}

impl<E: Into<RenderError>> From<E> for Ended {
    fn from(error: E) -> Self {
        match error.into() {
            RenderError::Paint(error) if error.is_cancelled() => Self::Cancelled,
            error => Self::Other(error),
        }
    }
}

/// Decodes and paints all frames, and sends them on. `state` is that of the steadiness after the complete parts.
fn paint_all(
    (film, flow): (&Film<'_>, Flow),
    control: &RunControl,
    decoder: &mut Decoder,
    state: Option<Arc<[u8]>>,
    paint: &Paint<'_>,
    sender: &Sender<Painted>,
) -> Result<(), Ended> {
    let (mut last, mut has_ended) = (None, false);
    let batches = iter::from_fn(|| {
        if has_ended {
            return None;
        }
        let batch = next_batch((film, flow), control, decoder, &mut last);
        has_ended = !batch.as_ref().is_ok_and(|frames| !frames.is_empty());
        Some(batch)
    });
    // A device can steady frames only one after another.
    let steadies = film.stylization.steadiness > 0 && film.devices == 1 && film.batch <= 1;
    let next = Mutex::new((0, state));
    let steadying = || {
        let mut next = lock(&next);
        next.0 += 1;
        let (number, restored) = (next.0, next.1.take());
        Steadying {
            steadiness: Steadiness {
                percent: film.stylization.steadiness,
                is_new: number == 1 && restored.is_none(),
            },
            restored,
            is_saved: number % film.part_frames == 0,
        }
    };
    type Batch = (Vec<Decoded>, Vec<Painting>);
    let painted = |batch: Result<Vec<Decoded>, Ended>| -> Result<Batch, Ended> {
        let frames = batch?;
        let paintings = if film.stylization.look.strength_percent == 0 || frames.is_empty() {
            Vec::new()
        } else {
            let of: Vec<_> = frames.iter().map(|(_, frame)| frame).collect();
            let steadying = steadies.then(&steadying);
            paint(&of, steadying.as_ref()).map_err(RenderError::from)?
        };
        Ok((frames, paintings))
    };
    let mut outcome = Ok(true);
    share_in_order(film.devices, film.batches(flow), batches, painted, |painted| {
        if let Ok(true) = outcome {
            outcome = painted.and_then(|(frames, paintings)| {
                let mut paintings = paintings.into_iter();
                for (ticks, frame) in frames {
                    let painted = Painted { ticks, frame, painting: paintings.next() };
                    if !send(sender, painted, control)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            });
        }
        if let Ok(true) = outcome { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    outcome.map(|_| ())
}

/// A frame and its time in ticks.
type Decoded = (i64, Arc<Frame>);

/// The next frames to paint at once; none at the end. `last` is the time of the last frame before them.
fn next_batch(
    (film, flow): (&Film<'_>, Flow),
    control: &RunControl,
    decoder: &mut Decoder,
    last: &mut Option<i64>,
) -> Result<Vec<Decoded>, Ended> {
    let mut frames = Vec::new();
    while frames.len() < film.batch(flow) {
        if control.is_cancelled() {
            return Err(Ended::Cancelled);
        }
        let Some((ticks, frame)) = decoder.next_picture()? else { break };
        // Damaged files repeat times; every frame stays, a tick later.
        let ticks = last.map_or(ticks, |last| ticks.max(last.saturating_add(1)));
        *last = Some(ticks);
        let frame = if film.framing.is_plain() {
            frame
        } else {
            film.framing.applied(&frame).map_err(RenderError::from)?
        };
        frames.push((ticks, Arc::new(frame)));
    }
    Ok(frames)
}

/// Sends a frame; stops waiting when the film is cancelled. `false` if the encoding thread has ended, whose own result
/// has the reason.
fn send(
    sender: &Sender<Painted>,
    mut painted: Painted,
    control: &RunControl,
) -> Result<bool, Ended> {
    loop {
        match sender.send_timeout(painted, LOOK_EVERY) {
            Ok(()) => return Ok(true),
            Err(_) if control.is_cancelled() => return Err(Ended::Cancelled),
            Err(SendTimeoutError::Timeout(back)) => painted = back,
            Err(SendTimeoutError::Disconnected(_)) => return Ok(false),
        }
    }
}

/// A frame as it will be encoded.
struct Finished {
    ticks: i64,
    frame: Frame,
    /// The state of the steadiness after it, if a part may end here.
    state: Option<Vec<u8>>,
}

/// Steadies and finishes paintings, all in the size of the first one, until there are no more or no one takes them.
/// Returns whether transparent pixels were laid on the background, and the state of the steadiness unless a device has it.
fn finish_all(
    film: &Film<'_>,
    mut steadier: Steadier,
    painted: Receiver<Painted>,
    sender: &Sender<Finished>,
) -> (bool, Option<Vec<u8>>) {
    let output = film.output_size;
    let (mut size, mut has_background, mut is_on_device) = (None, false, false);
    let mut mask: Option<Cow<'_, Plane>> = None;
    for (number, Painted { ticks, frame, painting }) in (1..).zip(painted) {
        let ends_part = number % film.part_frames == 0;
        let mut state = None;
        let finished = match painting {
            Some(mut painting) => {
                if film.stylization.steadiness > 0 {
                    let saved = painting.steady.take();
                    let source = |(width, height)| at_size(&frame, width, height);
                    is_on_device = saved.is_some();
                    let painting = &mut painting.painted;
                    steadier.steadied(is_on_device, film.stylization.steadiness, painting, source);
                    state = ends_part.then(|| saved.unwrap_or_else(|| steadier.save()));
                }
                let size = output.resolve(frame.size(), painting.painted.size());
                // Scaled once, because all frames have the same size, as far as memory allows.
                mask = match (mask.filter(|mask| mask.size() == size), &film.stylization.mask) {
                    (None, Some(mask)) => Some(mask.at(size)),
                    (kept, _) => kept,
                };
                let blend = film.stylization.blend(mask.as_deref());
                painting.into_finished(&frame, output, blend)
            }
            None => {
                let (width, height) = output.resolve(frame.size(), frame.size());
                at_size(&frame, width, height).into_owned()
            }
        };
        // The working size may shrink when memory gets short.
        let (width, height) = *size.get_or_insert(finished.size());
        let mut frame = if finished.size() == (width, height) {
            finished
        } else {
            at_size(&finished, width, height).into_owned()
        };
        if film.is_flattened() && !frame.is_opaque() {
            flatten(frame.rgba_mut(), film.background);
            has_background = true;
        }
        if sender.send(Finished { ticks, frame, state }).is_err() {
            break;
        }
    }
    (has_background, (!is_on_device).then(|| steadier.save()))
}

/// The work of the encoding thread.
struct Encoding<'a> {
    tools: &'a Tools,
    film: &'a Film<'a>,
    flow: Flow,
    control: &'a RunControl,
    stream: NutStream,
    /// The process that receives pictures.
    current: &'a Mutex<Option<Stoppable>>,
    /// The state of the steadiness after the last frame, once there are no more and unless a device has it.
    last_state: &'a Mutex<Option<Vec<u8>>>,
    progress: &'a (dyn Fn(u64, u64) + Sync),
}

/// A part on its way to the disk.
struct Open {
    file: std::path::PathBuf,
    frames: u64,
    /// Times of its first and last frame.
    ticks: i64,
    last: i64,
    /// The state of the steadiness after its last frame.
    state: Option<Vec<u8>>,
    encoder: Encoder,
}

impl Encoding<'_> {
    /// Encodes all frames; complete parts are added to `parts`.
    fn encode(&self, frames: Receiver<Finished>, parts: &mut Parts) -> Result<(), Ended> {
        // A part ends while the next one begins, because an encoder keeps frames back until its end.
        let (mut ending, mut open): (Option<Open>, Option<Open>) = (None, None);
        let before = parts.frames();
        let mut number = before;
        for Finished { ticks, frame, state } in frames {
            let over = self.stream.tick.0 as i64;
            let is_far = |part: &Open| {
                ticks.saturating_sub(part.ticks).saturating_mul(over) > MAX_PART_TICKS
            };
            if open.as_ref().is_some_and(is_far) {
                self.end_part(&mut open, &mut ending, parts)?;
            }
            let part = match &mut open {
                Some(part) => part,
                None => open.insert(self.begin(parts, number, ticks, frame.size())?),
            };
            let ticks_in_part = (ticks - part.ticks) as u64;
            if !part.encoder.send(Track::Pictures, ticks_in_part, frame.rgba()) {
                let Some(part) = open.take() else { continue };
                close(&mut ending, parts)?;
                return part.encoder.wait().map_err(Ended::Encoder);
            }
            if ending.as_ref().is_some_and(|part| part.encoder.has_ended()) {
                close(&mut ending, parts)?;
            }
            part.frames += 1;
            part.last = ticks;
            part.state = state;
            number += 1;
            (self.progress)(number, number - before);
            // Where the state of the steadiness is saved.
            if (number - before).is_multiple_of(self.film.part_frames) {
                self.end_part(&mut open, &mut ending, parts)?;
            }
        }
        close(&mut ending, parts)?;
        if !self.control.is_cancelled() {
            return close(&mut open, parts);
        }
        if self.film.stylization.steadiness > 0 {
            // A part without its state would be painted again.
            let state = lock(self.last_state).take();
            open = open.filter(|_| state.is_some()).map(|part| Open { state, ..part });
        }
        close(&mut open, parts)?;
        Err(Ended::Cancelled)
    }

    /// Has the encoder of the open part complete it.
    fn end_part(
        &self,
        open: &mut Option<Open>,
        ending: &mut Option<Open>,
        parts: &mut Parts,
    ) -> Result<(), Ended> {
        if let Some(part) = open {
            part.encoder.finish();
        }
        close(ending, parts)?;
        *ending = open.take();
        if self.flow == Flow::Frugal { close(ending, parts) } else { Ok(()) }
    }

    fn begin(
        &self,
        parts: &Parts,
        first: u64,
        ticks: i64,
        size: (usize, usize),
    ) -> Result<Open, Ended> {
        let file = parts
            .unfinished(&format!("{first:09}"), self.film.codec.part_extension())
            .map_err(|e| Ended::Encoder(e.to_string()))?;
        let encoder = self
            .film
            .encoder(self.tools, self.flow, &self.stream, size, &file)
            .map_err(Ended::Encoder)?;
        *lock(self.current) = Some(encoder.stoppable());
        Ok(Open { file, frames: 0, ticks, last: ticks, state: None, encoder })
    }
}

/// Waits for a part's end, and adds it.
fn close(part: &mut Option<Open>, parts: &mut Parts) -> Result<(), Ended> {
    let Some(Open { file, frames, ticks, last, state, encoder }) = part.take() else {
        return Ok(());
    };
    encoder.wait().map_err(Ended::Encoder)?;
    parts
        .add(&file, frames, ticks..=last, state.as_deref())
        .map_err(|e| Ended::Encoder(e.to_string()))
}
