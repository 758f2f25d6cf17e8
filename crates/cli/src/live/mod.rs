//! `styleforge live`: paints live without a window, prints the measured rates, and records if requested.

mod camera_out;
mod recording;
mod report;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, at, bounded, select};

use self::{
    recording::{RecordingReport, StillRecording},
    report::{AutomaticSize, Report, text},
};
use super::{
    CliError,
    args::LiveArgs,
    attention, device_options,
    interrupt::interruptible,
    modes,
    style_choice::live_style,
    terminal::{print_report, write_message, write_note},
    wrong_use,
};
use backend::{DeviceInfo, OpenDevice, RunControl};
use engine::{
    Engine,
    camera_out::CameraOut,
    capture::{CameraId, CaptureEvent, CaptureSettings, Source, is_connected},
    error::EngineError,
    live::{
        DEFAULT_TARGET_FPS, LiveEvent, LivePicture, LiveSettings, LiveSize, LiveSource, Stages,
        meter::Recent,
    },
    network_choice::ChosenNetwork,
    paint::PaintError,
    protocol::Event,
};
use media::record::{Recorded, Recorder};
use threads::WakeUp;
use values::{
    disk::words,
    mode::{DeviceChoice, ModelSize},
};
use weights::bytes_in_hex;

/// How long to wait for the engine to end, and for a source that reports that no frames arrive.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs until the time is over, enough frames are painted, the source ends or the command is stopped.
///
/// # Errors
/// [`CliError`] if the device, the style or the source cannot be used, or a recording fails.
pub fn run(mut args: LiveArgs) -> Result<(), CliError> {
    let started = Instant::now();
    recording::check(&args)?;
    if let Source::Photo(path) = &args.source
        && !path.exists()
    {
        // A camera's name works without `camera:` too.
        let camera = path.to_str().map(CameraId::new).filter(is_connected);
        args.source = Source::Camera(camera.ok_or_else(|| {
            CliError::WrongUse(format!(
                "'{}' is not a source: there is no file and no camera of this name; use demo, camera, camera:NAME (see styleforge cameras), a photo, a video, a folder of photos, screen, window:ID, or the address of a stream (rtsp, rtmp, http, srt)",
                path.display()
            ))
        })?);
    }
    let args = &args;
    let control = interruptible();
    let (wake_up, woken) = bounded::<()>(1);
    let wake_up: WakeUp = Arc::new(move || {
        // One pending signal is enough.
        wake_up.try_send(()).ok();
    });
    let open = chosen_device(args);
    let no_thread = |e| CliError::Failed(format!("no thread could be started: {}", words(&e)));
    let mut engine = Engine::start(open, wake_up.clone()).map_err(no_thread)?;
    let device = wait_for_device(&mut engine, &woken)?;
    let lite = (device.kind == DeviceChoice::Cpu).then_some(ModelSize::Lite);
    let style = live_style(args, lite)?;
    if let Some(style) = &style {
        let chosen = [args.painting.attention];
        attention::announce(device.kind, &chosen, &[(&style.label, &style.network)]);
    }
    let size = args.working_size.map_or(
        LiveSize::Auto { target_fps: args.target_fps.map_or(DEFAULT_TARGET_FPS, f64::from) },
        LiveSize::LongSide,
    );
    let capture = CaptureSettings {
        size: args.size,
        fps: args.fps,
        format: args.format,
        mirror: args.mirror,
        rotate: args.rotate,
        ..CaptureSettings::default()
    };
    let mut still = None;
    let label = style.as_ref().map_or_else(String::new, |style| style.label.clone());
    let camera_out = camera_out::start(args, label, wake_up.clone())?.map(|(camera_out, sink)| {
        engine.record(sink);
        camera_out
    });
    let recorder = recording::start(args, wake_up)?.map(|(recorder, sink)| {
        match &args.source {
            Source::Photo(_) | Source::Folder(_) => {
                still = Some(StillRecording::new(sink, args.fps));
            }
            _ => engine.record(sink),
        }
        recorder
    });
    let mut stylization = args.painting.stylization(size);
    if let Some(style) = &style {
        stylization = stylization.with_network(&style.network);
    }
    let live = LiveSettings { upscale: !args.no_upscale, ..stylization.into() };
    let source = LiveSource::Capture(args.source.clone(), capture.clone());
    let pictures = engine.start_live(source, live).map_err(no_thread)?;
    let mut run = LiveRun {
        args,
        device,
        style,
        started,
        capture,
        size,
        pictures,
        engine,
        recorder,
        is_silent: false,
        camera_out,
        still,
        control,
        woken,
        latency: Recent::default(),
        stages: Default::default(),
        first: None,
        ready_at: None,
        taken_at: None,
        since_line: 0,
        longest_gap: None,
        problems: Vec::new(),
        waiting_since: None,
        ended: false,
        resident: None,
        last_line: started,
    };
    let painted = run.paint();
    // In any case this completes the recording, or removes the folder of an empty one.
    let report = painted.and(run.finish())?;
    print_report(args.json, &report, || text(&report))
}

/// Opens the device of `--device` when the engine opens its first device.
fn chosen_device(args: &LiveArgs) -> OpenDevice {
    let open = backend::opener(device_options(&args.painting.device));
    let chosen = args.painting.device.device;
    Arc::new(move |kind| match kind {
        DeviceChoice::Auto => open(chosen),
        kind => open(kind),
    })
}

fn wait_for_device(engine: &mut Engine, woken: &Receiver<()>) -> Result<DeviceInfo, CliError> {
    loop {
        while let Some(event) = engine.poll() {
            match event {
                Event::Device { info, notice } => {
                    if let Some(notice) = notice {
                        write_message(notice);
                    }
                    return Ok(info);
                }
                Event::NoDevice(error) => return Err(CliError::wrong_use(error)),
                _ => {}
            }
        }
        woken.recv().ok();
    }
}

struct LiveRun<'a> {
    args: &'a LiveArgs,
    device: DeviceInfo,
    style: Option<ChosenNetwork>,
    started: Instant,
    capture: CaptureSettings,
    size: LiveSize,
    pictures: values::mailbox::Reader<LivePicture>,
    engine: Engine,
    recorder: Option<Recorder>,
    /// The end of the sound was reported.
    is_silent: bool,
    camera_out: Option<CameraOut>,
    /// The recording of photos; that of other sources is a sink of the engine.
    still: Option<StillRecording>,
    control: Arc<RunControl>,
    woken: Receiver<()>,
    latency: Recent,
    stages: [Recent; Stages::COUNT],
    /// When the first painted frame arrived, and how many frames were captured and painted by then.
    first: Option<(Instant, u64, u64)>,
    /// When the newest painted frame was ready.
    ready_at: Option<Instant>,
    /// When that frame was received here.
    taken_at: Option<Instant>,
    /// Painted frames received since the last printed line.
    since_line: u64,
    longest_gap: Option<Duration>,
    problems: Vec<String>,
    /// Since when the source reports that no frames arrive.
    waiting_since: Option<Instant>,
    ended: bool,
    resident: Option<u64>,
    last_line: Instant,
}

impl LiveRun<'_> {
    /// Paints until the run ends.
    fn paint(&mut self) -> Result<(), CliError> {
        let (length, frames) = (self.args.seconds.map(Duration::from_secs_f64), self.args.frames);
        loop {
            if let (Some(still), Some((start, ..))) = (&mut self.still, self.first) {
                let now = Instant::now();
                let until = length.map_or(now, |length| now.min(start + length));
                let painted = &self.pictures.value.painted;
                still.repeat(painted, start, until, frames.unwrap_or(u64::MAX));
            }
            if self.control.is_cancelled() || self.ended {
                return Ok(());
            }
            let painted = match &self.still {
                Some(still) => still.frames,
                None => self.pictures.value.facts.map_or(0, |facts| facts.painted),
            };
            if frames.is_some_and(|frames| painted >= frames) {
                return Ok(());
            }
            // Stop at once, because nothing more would be recorded. Finishing the recording reports the reason.
            if self.recorder.as_ref().is_some_and(Recorder::has_ended) {
                return Ok(());
            }
            let no_sound = self.recorder.as_ref().and_then(Recorder::no_sound);
            if let Some(why) = no_sound.filter(|_| !self.is_silent) {
                write_note(why);
                self.is_silent = true;
            }
            let out = self.camera_out.as_ref().and_then(|out| out.status().problem);
            if let Some(problem) = out {
                return Err(CliError::failed(problem));
            }
            // The time starts at the first painted frame, even if a slow computer takes long for it. A run whose source
            // sends no frames ends too.
            let from = (self.first.map(|(at, ..)| at))
                .or_else(|| self.waiting_since.map(|since| since + PATIENCE));
            let over = |(from, length)| Instant::now().saturating_duration_since(from) >= length;
            let length = match self.first {
                // Without a first frame the frame limit is never reached.
                None => length.or(frames.map(|_| Duration::ZERO)),
                Some(_) => length,
            };
            if from.zip(length).is_some_and(over) {
                return Ok(());
            }
            let most = Instant::now() + Duration::from_millis(100);
            let next = self.still.as_ref().zip(self.first).map(|(still, (at, ..))| still.next(at));
            select! {
                recv(self.woken) -> _ => {}
                recv(at(next.unwrap_or(most).min(most))) -> _ => {}
            }
            self.take_events()?;
            if self.pictures.take() {
                self.note();
            }
            self.line();
        }
    }

    fn take_events(&mut self) -> Result<(), CliError> {
        while let Some(event) = self.engine.poll() {
            match event {
                Event::Live(LiveEvent::Refused(error)) => {
                    return Err(match error {
                        EngineError::Paint(PaintError::Backend(error)) => error.into(),
                        error => CliError::failed(error),
                    });
                }
                Event::Live(LiveEvent::Notice(notice)) => write_message(notice),
                Event::Live(LiveEvent::Source(event)) => self.note_source(event)?,
                // A photo ends at once and is still painted.
                Event::Live(LiveEvent::Ended) => self.ended = self.first.is_some(),
                Event::Device { notice: Some(notice), .. } => write_message(notice),
                _ => {}
            }
        }
        Ok(())
    }

    fn note_source(&mut self, event: CaptureEvent) -> Result<(), CliError> {
        match event {
            CaptureEvent::Started { described, format } => {
                self.waiting_since = None;
                let sends = format.map(|f| format!(", {f}")).unwrap_or_default();
                write_message(format!("source: {described}{sends}"));
                if let Some(unmet) = format.and_then(|f| self.capture.unmet(&f)) {
                    write_note(format_args!(
                        "this camera does not support {unmet}; see styleforge cameras"
                    ));
                }
            }
            CaptureEvent::Note(note) => write_note(note),
            CaptureEvent::Skipped(problem) => {
                write_message(format!("source: {problem}"));
                self.problems.push(problem.to_string());
            }
            CaptureEvent::Waiting(problem) => {
                write_message(format!("source: {problem}"));
                self.waiting_since.get_or_insert_with(Instant::now);
                self.problems.push(problem.to_string());
            }
            CaptureEvent::Ended(problem) if self.first.is_none() => {
                return Err(CliError::wrong_use(problem));
            }
            CaptureEvent::Ended(problem) => return Err(CliError::failed(problem)),
        }
        Ok(())
    }

    fn note(&mut self) {
        let picture = &self.pictures.value;
        let Some(facts) = picture.facts else {
            return;
        };
        let now = Instant::now();
        if let (None, Some(mode)) = (self.first, facts.mode) {
            modes::announce(self.args.painting.precision, mode);
        }
        if let (None, LiveSize::LongSide(px)) = (self.first, self.size) {
            let (w, h) = picture.original.size();
            if px > w.max(h) {
                write_note(format_args!(
                    "painted at {w} x {h} px, the source's size; use --size WxH for more"
                ));
            }
        }
        self.taken_at = Some(now);
        self.since_line += 1;
        let &mut (begin, ..) = self.first.get_or_insert((now, facts.captured, facts.painted));
        if let Some(before) = self.ready_at.replace(facts.ready_at) {
            let gap = facts.ready_at.saturating_duration_since(before);
            self.longest_gap = self.longest_gap.max(Some(gap));
        }
        let since = now.saturating_duration_since(facts.captured_at);
        self.latency.note(now, since.as_secs_f32() * 1e3);
        for (recent, value) in self.stages.iter_mut().zip(facts.stages.in_order()) {
            recent.note(now, value);
        }
        if self.resident.is_none() && now - begin > Duration::from_secs(1) {
            self.resident = resident_bytes();
        }
    }

    /// Prints one line a second while frames arrive.
    fn line(&mut self) {
        let now = Instant::now();
        if self.args.json || now - self.last_line < Duration::from_secs(1) {
            return;
        }
        self.last_line = now;
        let came = std::mem::take(&mut self.since_line);
        let Some(facts) = self.pictures.value.facts.filter(|_| came > 0) else {
            return;
        };
        let (w, h) = facts.working;
        let latency = self.latency.spread(now).unwrap_or_default();
        let microphone = self.recorder.as_ref().and_then(Recorder::microphone);
        write_message(format!(
            "{:5.1} fps at {w} x {h}, {:.0} ms from source to picture, {} dropped{}",
            self.latency.per_second(now),
            latency.p50,
            facts.dropped,
            microphone.map_or("", |_| ", microphone on")
        ));
    }

    fn finish(mut self) -> Result<Report, CliError> {
        let (args, style, now) = (self.args, self.style.as_ref(), Instant::now());
        let recorded = self.recorder.take().map(Recorder::finish_or_discard);
        if let Some(failure) = recorded.as_ref().and_then(Recorded::failure_text) {
            return Err(CliError::Failed(failure));
        }
        let camera_out = self.camera_out.take().map(|out| out.status());
        let taking = self.pictures.counts();
        let Some(((first_at, captured, painted), facts)) =
            self.first.zip(self.pictures.value.facts)
        else {
            if self.control.is_cancelled() {
                return Err(CliError::Stopped);
            }
            // The reason was printed when it happened.
            let advice = match args.source {
                Source::Camera(_) => "; see styleforge cameras, or use --source demo",
                _ => "",
            };
            return wrong_use(format!("no image arrived from {}{advice}", args.source));
        };
        let seconds = now.saturating_duration_since(first_at).as_secs_f64();
        let rate = |count: u64| {
            if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
        };
        let has_rate = matches!(args.source, Source::Demo | Source::Camera(_) | Source::Stream(_));
        let achieved_fps = f64::from(self.latency.per_second(now));
        // A photo arrived once, a while ago. The figures cover the last seconds in which frames arrived.
        let taken_at = self.taken_at.unwrap_or(now);
        let median = |recent: &Recent| recent.spread(taken_at).unwrap_or_default().p50;
        let mut stages_ms = Stages::default();
        for (stage, recent) in stages_ms.in_order_mut().into_iter().zip(&self.stages) {
            *stage = median(recent);
        }
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            source: args.source.to_string(),
            source_bytes: match &args.source {
                Source::Photo(path) | Source::Folder(path) | Source::Video(path) => {
                    bytes_in_hex(path)
                }
                _ => None,
            },
            device: self.device.kind.name(),
            device_name: self.device.name.clone(),
            style: style.map(ChosenNetwork::label_with_model),
            mode: facts.mode,
            seconds,
            first_picture_s: first_at.saturating_duration_since(self.started).as_secs_f64(),
            captured: facts.captured,
            painted: facts.painted,
            dropped_before_engine: facts.dropped,
            dropped_before_taking: taking.dropped,
            captured_fps: rate(facts.captured - captured),
            painted_fps: rate(facts.painted - painted),
            longest_gap_ms: self.longest_gap.map(|gap| gap.as_secs_f64() * 1e3),
            source_size: self.pictures.value.original.size(),
            working_size: facts.working,
            picture_size: self.pictures.value.painted.size(),
            automatic_size: AutomaticSize::of(
                self.size,
                facts.working,
                [rate(facts.captured - captured), achieved_fps],
                stages_ms.engine_ms(),
                style,
            )
            // Photos have no frame rate.
            .filter(|_| facts.painted > painted && facts.mode.is_some() && has_rate),
            latency_ms: self.latency.spread(taken_at),
            method: facts.method,
            stages_ms,
            resident_bytes: self.resident.zip(resident_bytes()),
            recorded_frames: recorded.as_ref().map(|r| r.frames),
            left_out_frames: recorded.as_ref().map(|r| r.left_out),
            recording: recorded.map(RecordingReport::from),
            camera_out,
            problems: self.problems,
        };
        self.engine.stop_live();
        self.engine.shutdown(PATIENCE);
        Ok(report)
    }
}

/// Resident memory of this program; `None` if unknown.
fn resident_bytes() -> Option<u64> {
    let own = sysinfo::get_current_pid().ok()?;
    let mut system = sysinfo::System::new();
    system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[own]), false);
    system.process(own).map(sysinfo::Process::memory)
}
