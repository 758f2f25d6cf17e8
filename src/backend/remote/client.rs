//! The client's end: a backend that its callers use like any other.

use std::{
    collections::HashMap,
    env,
    io::{Read, Write},
    process::{Child, Command, Stdio},
    slice::{from_mut, from_ref},
    sync::{Arc, Mutex, PoisonError},
};

use serde::de::DeserializeOwned;

use super::{
    COMMAND,
    deadline::{ANSWER, OPENING, Pace, Timer, system_timer},
    link::{Call, Link},
    wire::{Hello, MapHeader, Request, maps_of, weight_bytes},
};
use crate::{
    backend::{
        Backend, BackendError, DeviceInfo, Inspect, InspectSession, NormTap, RunControl, Session,
        SessionSpec,
    },
    frame::Frame,
    graph::{Graph, Op},
    mode::{Mode, Precision, Variant},
    network::Network,
    plan::PlanSummary,
    tensor::{Shape, Tensor},
    timing::{RunTiming, StepTiming},
};

/// A device that another process works with. The process ends with the last session and the backend.
pub struct RemoteBackend {
    link: Arc<Link>,
    device: DeviceInfo,
    /// The automatic precision of each variant that was requested so far: messages name it after the device is
    /// lost.
    precisions: Mutex<HashMap<Variant, Precision>>,
}

impl RemoteBackend {
    /// Starts this program a second time and opens the GPU with this number (in the driver's order;
    /// people know it as `device`) there.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] when the process cannot be started, and the error of opening the GPU
    /// there.
    pub fn start(gpu: usize, device: &str) -> Result<Self, BackendError> {
        let program = env::current_exe().map_err(|e| BackendError::Unavailable {
            device: device.to_owned(),
            reason: format!("this program's file was not found ({e})"),
        })?;
        let mut command = Command::new(program);
        command.arg(COMMAND).arg(gpu.to_string());
        Self::run(&mut command, device, system_timer())
    }

    /// Runs a program that [serves](super::serve) on its standard streams. It is killed when it does
    /// not answer in time by `timer`.
    ///
    /// # Errors
    /// As [`RemoteBackend::start`], and [`BackendError::DeviceHangs`].
    pub fn run(command: &mut Command, device: &str, timer: Timer) -> Result<Self, BackendError> {
        let unavailable = |error: &dyn std::fmt::Display| BackendError::Unavailable {
            device: device.to_owned(),
            reason: format!("a process for it could not be started ({error})"),
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| unavailable(&e))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(unavailable(&"it has no standard streams"));
        };
        Self::join(Box::new(from), Box::new(to), Some(child), (device, timer))
    }

    /// Connects to a server that [serves](super::serve) at the far ends of two pipes; `device` is what people
    /// know the device as.
    ///
    /// # Errors
    /// The server's error of opening the device; [`BackendError::DeviceLost`] and [`BackendError::DeviceHangs`]
    /// when it does not answer.
    pub fn connect(
        from: Box<dyn Read + Send>,
        to: Box<dyn Write + Send>,
        device: &str,
    ) -> Result<Self, BackendError> {
        Self::connect_timed(from, to, device, system_timer())
    }

    /// [`RemoteBackend::connect`] with a clock of its own.
    ///
    /// # Errors
    /// As [`RemoteBackend::connect`].
    pub fn connect_timed(
        from: Box<dyn Read + Send>,
        to: Box<dyn Write + Send>,
        device: &str,
        timer: Timer,
    ) -> Result<Self, BackendError> {
        Self::join(from, to, None, (device, timer))
    }

    fn join(
        from: Box<dyn Read + Send>,
        to: Box<dyn Write + Send>,
        child: Option<Child>,
        (device, timer): (&str, Timer),
    ) -> Result<Self, BackendError> {
        let link = Link::start(from, to, child, (device, timer))?;
        let (hello, _) = link.call::<Hello>(Call {
            request: None,
            body: Vec::new(),
            most_answer_bytes: 0,
            patience: OPENING,
            words: "open it".to_owned(),
        })?;
        if hello.version != env!("CARGO_PKG_VERSION") {
            // The file was replaced while the program ran.
            return Err(BackendError::Unavailable {
                device: device.to_owned(),
                reason: format!(
                    "StyleForge's file is of version {} by now; start it again",
                    hello.version
                ),
            });
        }
        Ok(Self { link: Arc::new(link), device: hello.device, precisions: Mutex::default() })
    }

    /// A call that the server only has to look up.
    fn look_up<T: DeserializeOwned + Send + 'static>(
        &self,
        request: Request,
        words: &str,
    ) -> Result<T, BackendError> {
        let call = Call {
            request: Some(request),
            body: Vec::new(),
            most_answer_bytes: 0,
            patience: ANSWER,
            words: words.to_owned(),
        };
        self.link.call(call).map(|(answer, _)| answer)
    }
}

impl Backend for RemoteBackend {
    fn device(&self) -> DeviceInfo {
        self.device.clone()
    }

    fn supports(&self, mode: Mode) -> Result<(), BackendError> {
        self.look_up(Request::Supports(mode), "tell whether it has a mode")
    }

    fn auto_precision(&self, variant: Variant) -> Precision {
        let mut known = self.precisions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(precision) = known.get(&variant) {
            return *precision;
        }
        match self.look_up(Request::AutoPrecision(variant), "choose a precision") {
            Ok(precision) => *known.entry(variant).or_insert(precision),
            // The caller opens a session next, and gets the error there.
            Err(_) => Precision::default(),
        }
    }

    fn predicted_bytes(&self, graph: &Graph, spec: &SessionSpec) -> Result<u64, BackendError> {
        let request = Request::PredictedBytes(graph.clone(), *spec);
        self.look_up(request, "predict its memory")
    }

    fn free_bytes(&self) -> Option<u64> {
        self.look_up(Request::FreeBytes, "tell its free memory").ok()?
    }

    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        let number = self.link.next_session();
        let (summary, _) = self.link.call::<PlanSummary>(Call {
            request: Some(Request::Open(number, network.graph().clone(), *spec)),
            body: weight_bytes(network),
            most_answer_bytes: 0,
            patience: OPENING,
            words: format!("get ready for {}", pixels(spec)),
        })?;
        Ok(Box::new(RemoteSession {
            link: self.link.clone(),
            number,
            map_bytes: map_bytes(network.graph(), spec),
            spec: *spec,
            pace: Pace::planned(&summary),
            summary,
        }))
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }
}

impl Inspect for RemoteBackend {
    fn clock_mhz(&self) -> Option<u32> {
        self.look_up(Request::ClockMhz, "tell its clock").ok()?
    }
}

/// For people: `1920 x 1080 pixels`.
fn pixels(spec: &SessionSpec) -> String {
    format!("{} x {} pixels", spec.width, spec.height)
}

/// Bytes of the maps of all norms.
fn map_bytes(graph: &Graph, spec: &SessionSpec) -> u64 {
    let shapes = graph.for_photo(spec.height, spec.width).map(|of| of.1).unwrap_or_default();
    let nodes = graph.nodes().iter().zip(shapes);
    nodes
        .filter(|(node, _)| matches!(node.op, Op::InstanceNorm { .. }))
        .map(|(_, map)| 4 * map.len() as u64)
        .sum()
}

/// A session of the other process.
struct RemoteSession {
    link: Arc<Link>,
    number: u64,
    /// Bytes of the maps of all norms.
    map_bytes: u64,
    spec: SessionSpec,
    summary: PlanSummary,
    pace: Pace,
}

impl RemoteSession {
    /// A call about photos; the paintings come back in the body.
    fn painted<T: DeserializeOwned + Send + 'static>(
        &self,
        request: Request,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> Result<T, BackendError> {
        BackendError::check_run(inputs, outputs, self.size(), control)?;
        let painted_bytes: usize = outputs.iter().map(|frame| frame.rgba().len()).sum();
        let (timing, body) = self.about(request, inputs, painted_bytes as u64)?;
        let mut rest = body.as_slice();
        for output in outputs {
            let to = output.rgba_mut();
            let Some((painting, behind)) = rest.split_at_checked(to.len()) else {
                return Err(self.link.lost(&"a painting is missing"));
            };
            to.copy_from_slice(painting);
            rest = behind;
        }
        Ok(timing)
    }

    /// A call about photos, for at most so many bytes.
    fn about<T: DeserializeOwned + Send + 'static>(
        &self,
        request: Request,
        inputs: &[Frame],
        most_answer_bytes: u64,
    ) -> Result<(T, Vec<u8>), BackendError> {
        let photos: Vec<&[u8]> = inputs.iter().map(|frame| frame.rgba()).collect();
        let body = photos.concat();
        let piped_bytes = body.len() as u64 + most_answer_bytes;
        let frames = match inputs.len() {
            1 => String::new(),
            several => format!("{several} frames of "),
        };
        self.link.call(Call {
            request: Some(request),
            body,
            most_answer_bytes,
            patience: self.pace.patience(inputs.len(), piped_bytes),
            words: format!("paint {frames}{}", pixels(&self.spec)),
        })
    }

    /// [`RemoteSession::painted`] of one group; its time predicts that of the next.
    fn paint_group(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        let request = Request::Paint(self.number);
        let timing = self.painted(request, inputs, outputs, control)?;
        self.pace.measured(inputs.len(), &timing);
        Ok(timing)
    }

    /// Rows and columns that it was opened for.
    const fn size(&self) -> (usize, usize) {
        (self.spec.height, self.spec.width)
    }
}

impl Drop for RemoteSession {
    fn drop(&mut self) {
        // The server's answer would change nothing any more.
        self.link
            .call::<()>(Call {
                request: Some(Request::Close(self.number)),
                body: Vec::new(),
                most_answer_bytes: 0,
                patience: ANSWER,
                words: "give its memory back".to_owned(),
            })
            .ok();
    }
}

impl Session for RemoteSession {
    fn summary(&self) -> PlanSummary {
        self.summary.clone()
    }

    fn run(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
        _meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        BackendError::check_batch(inputs, outputs)?;
        let (batch, all, mut done) = (self.spec.batch.max(1), inputs.len(), 0);
        let mut runs: Option<RunTiming> = None;
        for (group, to) in inputs.chunks(batch).zip(outputs.chunks_mut(batch)) {
            let run = self.paint_group(group, to, control)?;
            runs = Some(match runs {
                Some(before) => before.then(run),
                None => run,
            });
            done += group.len();
            control.set_progress(done as f32 / all as f32);
        }
        runs.ok_or(BackendError::EMPTY_BATCH)
    }

    fn inspect(&mut self) -> Option<&mut dyn InspectSession> {
        Some(self)
    }
}

impl InspectSession for RemoteSession {
    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError> {
        let request = Request::Profile(self.number);
        self.painted(request, from_ref(input), from_mut(output), control)
    }

    fn run_tensor(
        &mut self,
        input: &Frame,
        tap: Option<NormTap<'_>>,
    ) -> Result<Tensor, BackendError> {
        BackendError::check_size(input, self.size())?;
        let with_maps = tap.is_some();
        let request = Request::RunTensor { session: self.number, with_maps };
        let (height, width) = self.size();
        let output_bytes = 4 * 3 * (height * width) as u64;
        let most_bytes = output_bytes + if with_maps { self.map_bytes } else { 0 };
        let (headers, body) = self.about::<Vec<MapHeader>>(request, from_ref(input), most_bytes)?;
        let maps = maps_of(headers, &body).map_err(|error| self.link.lost(&error))?;
        let mut maps: Vec<(String, Tensor)> = maps.collect();
        drop(body);
        let missing = || self.link.lost(&"a map is missing");
        let (_, output) = maps.pop().ok_or_else(missing)?;
        if output.shape != Shape::new(3, self.spec.height, self.spec.width) {
            return Err(missing());
        }
        if let Some(tap) = tap {
            maps.into_iter().for_each(|(name, map)| tap(&name, map));
        }
        Ok(output)
    }
}
