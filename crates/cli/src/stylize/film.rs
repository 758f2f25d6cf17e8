//! Paints videos.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use indicatif::HumanDuration;
use serde_json::json;

use super::{Run, output::refused};
use crate::{CliError, job::FilmInput, progress::Progress};
use backend::allocator;
use engine::{
    film::{
        Film, RenderError, Rendered, Share, USUAL_QUALITY, first_output, part_frames, render, tidy,
    },
    network_choice::ChosenNetwork,
    paint::{PaintError, PaintSettings, Painting, Steadying},
};
use media::film::{Clip, Container, FilmError, Range, Tools};
use pictures::encode::DEFAULT_QUALITY;
use values::{disk, frame::Frame, mode::DeviceChoice};

/// A shorter film ends before its time can be estimated.
const MIN_ESTIMATED_FRAMES: u64 = 50;

impl<'a> Run<'a> {
    /// Paints every video in every style. Failures are reported and counted; cancelling is the only error.
    pub fn paint_films(&mut self, targets: &[Vec<PathBuf>]) -> Result<(), CliError> {
        let job = self.job;
        if job.films.is_empty() {
            return Ok(());
        }
        allocator::reuse_large_blocks();
        let open = |film: &FilmInput| {
            let opened = Tools::open(&film.source, &self.control, self.max_memory_bytes());
            opened.and_then(|(tools, mut clip)| {
                clip.deinterlaces = job.deinterlaces();
                if job.args.gaps == "hold" {
                    clip.hold_missing();
                }
                match clip.missing {
                    Some(missing) => Err(FilmError::file(
                        clip.name,
                        format!(
                            "picture {missing} is missing; hold the one before with --gaps hold"
                        ),
                    )),
                    None => Ok((tools, clip)),
                }
            })
        };
        let films: Vec<_> = job.films.iter().map(|film| (film, open(film))).collect();
        let range = Range { start: job.args.start, end: job.args.end };
        let frames_of = |clip: &Clip| range.frames_of(clip, job.args.fps).unwrap_or(0);
        let frames: u64 = films
            .iter()
            .filter_map(|(_, film)| film.as_ref().ok())
            .map(|(_, clip)| frames_of(clip))
            .sum();
        let all = (frames * self.styles.len() as u64).try_into().unwrap_or(usize::MAX);
        self.progress =
            if job.args.quiet { Progress::quiet() } else { Progress::of_long_pieces(all) };
        let (mut done, mut number) = (0, 0);
        let videos = films.len() * self.styles.len();
        for ((film, opened), row) in films.iter().zip(targets) {
            for (style, target) in self.styles.iter().zip(row) {
                self.stop_if_cancelled()?;
                let before = done;
                number += 1;
                let place = if videos > 1 {
                    format!("video {number} of {videos}, ")
                } else {
                    String::new()
                };
                done += opened.as_ref().map_or(0, |(_, clip)| frames_of(clip));
                let first = first_output(film.container, target);
                if job.args.skip_existing && first.exists() {
                    if !job.args.dry_run {
                        tidy(target);
                    }
                    self.progress.resume(done - before);
                    self.skipped += 1;
                    self.print_line(
                        &film.name(),
                        &style.label,
                        target,
                        json!({ "status": "skipped" }),
                    );
                    continue;
                }
                let painted = match &opened {
                    Ok((tools, clip)) => {
                        self.paint_film(tools, (film, clip), style, target, (before, &place))
                    }
                    Err(error) => Err(error.clone().into()),
                };
                self.report_film(film, &style.label, target, painted)?;
            }
        }
        Ok(())
    }

    /// `None` if it is only planned.
    fn paint_film(
        &mut self,
        tools: &Tools,
        (input, clip): (&FilmInput, &Clip),
        style: &'a ChosenNetwork,
        target: &Path,
        (before, place): (u64, &str),
    ) -> Result<Option<Rendered>, RenderError> {
        let hardware = self.hardware(tools, input, clip);
        let (job, painters) = (self.job, self.painters);
        let is_numbered = matches!(input.container, Container::Pictures(_));
        let (makes_folder, folder) =
            (job.folder().is_some() || is_numbered, disk::folder_of(target));
        if !job.args.dry_run {
            if makes_folder {
                disk::make_folder(folder)?;
            }
        } else if !makes_folder || folder.exists() {
            disk::check_target(&first_output(input.container, target), job.existing)?;
        }
        let (kind, mode) = painters.with(|painter| {
            (painter.backend().device().kind, painter.mode_on(&style.network, job.paint))
        });
        let film = Film {
            source: &input.source,
            clip,
            output: target,
            existing: job.existing,
            container: input.container,
            codec: input.codec,
            hardware,
            quality: job.args.quality.unwrap_or(if is_numbered {
                DEFAULT_QUALITY
            } else {
                USUAL_QUALITY
            }),
            range: Range { start: job.args.start, end: job.args.end },
            fps: job.args.fps,
            framing: job.framing,
            output_size: job.args.output_size,
            stylization: job.stylization.clone().with_network(&style.network),
            strips_metadata: job.args.strip_metadata,
            strips_location: job.args.strip_location,
            background: job.args.background,
            batch: job.args.batch,
            devices: painters.count(),
            part_frames: part_frames(kind == DeviceChoice::Cuda),
            about: format!("{} {kind} {mode}", style.title),
        };
        let settings = |share: Share| PaintSettings { held_bytes: share.held_bytes, ..job.paint };
        let share = film.share(tools, |share| {
            painters.with(|painter| {
                painter.check(&style.network, clip.size, settings(share))?;
                Ok(painter.fits_as_requested(&style.network, clip.size, settings(share)))
            })
        })?;
        if job.args.dry_run {
            return self.plan_film(tools, &film, style, share, settings(share)).map(|()| None);
        }
        let total = film.frames();
        let of_total = total.map_or_else(String::new, |total| format!(" of {total}"));
        self.note_estimate(&film, style, settings(share));
        let (name, began, progress) = (&clip.name, Instant::now(), &self.progress);
        let rendered = render(
            tools,
            &film,
            share.flow,
            &|frames: &[&Arc<Frame>], steadying: Option<&Steadying>| {
                self.paint_frames(frames, &film, style, settings(share), steadying)
            },
            &|frames, painted| {
                if painted == 0 {
                    progress.resume(frames);
                }
                let fps = painted as f64 / began.elapsed().as_secs_f64();
                progress.reach(
                    before + frames,
                    &format!("{place}{frames}{of_total} frames, {fps:.1} fps  {name}"),
                );
            },
        );
        self.progress.notes(self.painters.take_notices());
        let rendered = rendered?;
        self.note_style(style);
        Ok(Some(rendered))
    }

    /// Paints frames of a film.
    pub fn paint_frames(
        &self,
        frames: &[&Arc<Frame>],
        film: &Film<'_>,
        style: &ChosenNetwork,
        settings: PaintSettings,
        steadying: Option<&Steadying>,
    ) -> Result<Vec<Painting>, PaintError> {
        let (batch, network) = (film.batch, &style.network);
        self.painters.paint(|painter| {
            painter.paint_film(frames, batch, network, settings, steadying, &self.control)
        })
    }

    /// Reports about how long a film takes, by the time of one frame.
    fn note_estimate(&self, film: &Film<'_>, style: &ChosenNetwork, settings: PaintSettings) {
        if film.frames() >= Some(MIN_ESTIMATED_FRAMES)
            && let Some((frames, time)) = film.frames().zip(self.time_of(film, style, settings))
        {
            let time = HumanDuration(time);
            self.progress.note(format!("{}: {frames} frames take about {time}", film.clip.name));
        }
    }

    /// About how long the frames of a film take. `None` if it is not painted, or its length is not known.
    fn time_of(
        &self,
        film: &Film<'_>,
        style: &ChosenNetwork,
        settings: PaintSettings,
    ) -> Option<Duration> {
        if film.stylization.look.strength_percent == 0 {
            return None;
        }
        let (width, height) = film.framing.size(film.clip.size);
        let frame = Arc::new(Frame::from_fn(width, height, |x, y| [x as u8, y as u8, 128, 255]));
        let paint = || self.paint_frames(&[&frame], film, style, settings, None);
        // The first one also prepares the network.
        paint().ok()?;
        let began = Instant::now();
        paint().ok()?;
        let seconds = began.elapsed().as_secs_f64() * film.frames()? as f64 / film.devices as f64;
        Some(Duration::from_secs_f64(seconds))
    }

    /// The encoder of a graphics card, if one was requested and works.
    fn hardware(&self, tools: &Tools, input: &FilmInput, clip: &Clip) -> Option<String> {
        let codec = input.codec;
        if !self.job.args.hardware {
            return None;
        }
        let found = codec.hardware(&tools.ffmpeg, clip.size, &self.control);
        let encoded = match &found {
            Some(encoder) => format!("{encoder} encodes it"),
            None => format!("no graphics card here encodes {codec}; it is encoded in software"),
        };
        self.progress.note(format!("{}: {encoded}", clip.name));
        found
    }

    /// Reports a film; cancelling is the only error.
    fn report_film(
        &mut self,
        film: &FilmInput,
        label: &str,
        target: &Path,
        painted: Result<Option<Rendered>, RenderError>,
    ) -> Result<(), CliError> {
        let rendered = match painted {
            Ok(Some(rendered)) => rendered,
            Ok(None) => return Ok(()),
            Err(error) => {
                let is_cancelled = matches!(error, RenderError::Cancelled { .. });
                let why = match &error {
                    RenderError::Write(error) => refused(error),
                    RenderError::Stopped { .. } => format!("{}: {error}", target.display()),
                    other => other.to_string(),
                };
                let mark = if is_cancelled { "" } else { "error: " };
                self.progress.message(format!("{mark}{why}"));
                let status = if is_cancelled { "stopped" } else { "failed" };
                let line = json!({ "status": status, "error": why });
                self.print_line(&film.name(), label, target, line);
                self.failures += 1;
                return if is_cancelled { Err(CliError::Stopped) } else { Ok(()) };
            }
        };
        let Rendered { frames, resumed, notes, damage } = rendered;
        self.progress.notes_on(&film.name(), &notes);
        if resumed > 0 {
            self.progress.note(format!(
                "{}: continued after the {resumed} frames that were painted before",
                target.display()
            ));
        }
        let mut line = json!({ "status": "painted", "frames": frames, "resumed": resumed });
        if let Some(damage) = damage {
            self.progress.message(format!(
                "error: {} is damaged ({damage}); {} has the {frames} frames that can be read",
                film.name(),
                target.display()
            ));
            line["error"] = damage.into();
            self.failures += 1;
        }
        if !self.job.args.json && !self.job.args.quiet {
            // Failing to print the file name is not a failure: the file is written.
            self.progress.print(target.display()).ok();
        }
        self.print_line(&film.name(), label, target, line);
        Ok(())
    }
}
