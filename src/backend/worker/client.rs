//! The end that asks: a backend like any other to those who use it.

use std::{
    env, io,
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use serde::de::DeserializeOwned;

use super::{
    COMMAND,
    wire::{Answer, Hello, MapHeader, Request, maps_of, read_answer, send, weight_bytes},
};
use crate::{
    backend::{Backend, BackendError, DeviceInfo, NormTap, RunControl, Session, SessionSpec},
    frame::Frame,
    mode::{Mode, Precision, Variant},
    network::{Network, NetworkSpec},
    plan::PlanSummary,
    tensor::{Shape, Tensor},
    timing::{RunTiming, StepTiming},
};

/// A device that another process works with. The process ends with the last session and the backend.
pub struct WorkerBackend {
    link: Arc<Link>,
    device: DeviceInfo,
}

impl WorkerBackend {
    /// Starts this program a second time and opens the GPU with this number (in the driver's order;
    /// people know it as `device`) there.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] when the process cannot be started, and what it runs into when
    /// it opens the GPU.
    pub fn start(gpu: usize, device: &str) -> Result<Self, BackendError> {
        let unavailable = |what: &str, error: &dyn std::fmt::Display| BackendError::Unavailable {
            device: device.to_owned(),
            reason: format!("{what} ({error})"),
        };
        let program =
            env::current_exe().map_err(|e| unavailable("this program's file was not found", &e))?;
        let mut child = Command::new(program)
            .arg(COMMAND)
            .arg(gpu.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| unavailable("a process for it could not be started", &e))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(unavailable(
                "a process for it could not be started",
                &"it has no standard streams",
            ));
        };
        Self::join(Box::new(from), Box::new(to), Some(child), device)
    }

    /// Asks whoever [serves](super::serve) at the other ends of two pipes; `device` is what people
    /// know the device as.
    ///
    /// # Errors
    /// What the other end ran into when it opened the device; [`BackendError::DeviceLost`] when it
    /// does not answer.
    pub fn connect(
        from: Box<dyn Read + Send>,
        to: Box<dyn Write + Send>,
        device: &str,
    ) -> Result<Self, BackendError> {
        Self::join(from, to, None, device)
    }

    fn join(
        from: Box<dyn Read + Send>,
        to: Box<dyn Write + Send>,
        child: Option<Child>,
        device: &str,
    ) -> Result<Self, BackendError> {
        let link = Link {
            ends: Mutex::new(Ends {
                from,
                to: Some(to),
                child,
                sessions: 0,
            }),
            device: device.to_owned(),
        };
        let hello: Hello = link.with(|ends| ends.answer())?.0;
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
        Ok(Self {
            link: Arc::new(link),
            device: hello.device,
        })
    }
}

/// The pipes, shared by the backend and its sessions.
struct Link {
    ends: Mutex<Ends>,
    device: String,
}

struct Ends {
    from: Box<dyn Read + Send>,
    /// `None` once the other end did not answer as it should: nothing can be asked any more.
    to: Option<Box<dyn Write + Send>>,
    child: Option<Child>,
    /// Sessions that were opened so far.
    sessions: u64,
}

impl Link {
    /// Asks, and waits for the answer and its body.
    fn ask<T: DeserializeOwned>(
        &self,
        request: &Request,
        body: &[&[u8]],
    ) -> Result<(T, Vec<u8>), BackendError> {
        self.with(|ends| {
            ends.ask(request, body)?;
            ends.answer()
        })
    }

    /// Uses the pipes; a pipe that fails is a device that is lost.
    fn with<T>(
        &self,
        exchange: impl FnOnce(&mut Ends) -> io::Result<Answer<T>>,
    ) -> Result<T, BackendError> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        exchange(&mut ends).unwrap_or_else(|error| {
            ends.to = None;
            Err(self.ended(&error))
        })
    }

    fn ended(&self, error: &dyn std::fmt::Display) -> BackendError {
        BackendError::DeviceLost {
            device: self.device.clone(),
            reason: format!("its process does not answer: {error}"),
        }
    }
}

impl Ends {
    fn ask(&mut self, request: &Request, body: &[&[u8]]) -> io::Result<()> {
        let to = self.to.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        send(to.as_mut(), request, body)
    }

    fn answer<T: DeserializeOwned>(&mut self) -> io::Result<Answer<(T, Vec<u8>)>> {
        read_answer(self.from.as_mut(), u64::MAX)
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.to = None;
        if let Some(child) = &mut self.child {
            // It has nothing to keep, and one that hangs would be waited for. Its end is taken note
            // of, or it would stay in the system's list of processes.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Backend for WorkerBackend {
    fn device(&self) -> DeviceInfo {
        self.device.clone()
    }

    fn supports(&self, mode: Mode) -> Result<(), BackendError> {
        let ((), _) = self.link.ask(&Request::Supports(mode), &[])?;
        Ok(())
    }

    fn auto_precision(&self, variant: Variant) -> Precision {
        let answer = self.link.ask(&Request::AutoPrecision(variant), &[]);
        // Whoever asks opens a session next, and is told there what is wrong.
        answer.map_or_else(|_| Precision::default(), |(precision, _)| precision)
    }

    fn predicted_bytes(&self, network: &NetworkSpec, spec: &SessionSpec) -> u64 {
        let answer = self
            .link
            .ask(&Request::PredictedBytes(*network, *spec), &[]);
        answer.map_or(0, |(bytes, _)| bytes)
    }

    fn free_bytes(&self) -> Option<u64> {
        self.link.ask(&Request::FreeBytes, &[]).ok()?.0
    }

    fn clock_mhz(&self) -> Option<u32> {
        self.link.ask(&Request::ClockMhz, &[]).ok()?.0
    }

    fn open(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
    ) -> Result<Box<dyn Session>, BackendError> {
        let weights = weight_bytes(network);
        let (number, summary) = self.link.with(|ends| {
            ends.sessions += 1;
            let number = ends.sessions;
            ends.ask(&Request::Open(number, *network.spec(), *spec), &[&weights])?;
            let answer = ends.answer::<PlanSummary>()?;
            Ok(answer.map(|(summary, _)| (number, summary)))
        })?;
        Ok(Box::new(WorkerSession {
            link: self.link.clone(),
            number,
            spec: *spec,
            summary,
        }))
    }
}

/// A session of the other process.
struct WorkerSession {
    link: Arc<Link>,
    number: u64,
    spec: SessionSpec,
    summary: PlanSummary,
}

impl WorkerSession {
    /// Asks about photos; the paintings come back in the body.
    fn painted<T: DeserializeOwned>(
        &self,
        request: &Request,
        inputs: &[&Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> Result<T, BackendError> {
        BackendError::check_run(inputs, outputs, self.size(), control)?;
        let photos: Vec<&[u8]> = inputs.iter().map(|frame| frame.rgba()).collect();
        let (timing, body) = self.link.ask(request, &photos)?;
        let mut rest = body.as_slice();
        for output in outputs {
            let to = output.rgba_mut();
            let Some((painting, behind)) = rest.split_at_checked(to.len()) else {
                return Err(self.link.ended(&"a painting is missing"));
            };
            to.copy_from_slice(painting);
            rest = behind;
        }
        Ok(timing)
    }

    /// Rows and columns that it was opened for.
    const fn size(&self) -> (usize, usize) {
        (self.spec.height, self.spec.width)
    }
}

impl Drop for WorkerSession {
    fn drop(&mut self) {
        // What the other end would say to that changes nothing any more.
        self.link.ask::<()>(&Request::Close(self.number), &[]).ok();
    }
}

impl Session for WorkerSession {
    fn summary(&self) -> PlanSummary {
        self.summary.clone()
    }

    fn paint(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        let outputs = std::slice::from_mut(output);
        let timing = self.painted(&Request::Paint(self.number), &[input], outputs, control)?;
        control.set_progress(1.0);
        Ok(timing)
    }

    fn paint_batch(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        BackendError::check_batch(inputs, outputs)?;
        let (batch, all, mut done) = (self.spec.batch.max(1), inputs.len(), 0);
        let mut runs: Option<RunTiming> = None;
        for (group, to) in inputs.chunks(batch).zip(outputs.chunks_mut(batch)) {
            let photos: Vec<&Frame> = group.iter().collect();
            let run = self.painted(&Request::Paint(self.number), &photos, to, control)?;
            runs = Some(match runs {
                Some(before) => before.then(run),
                None => run,
            });
            done += group.len();
            control.set_progress(done as f32 / all as f32);
        }
        runs.ok_or(BackendError::EMPTY_BATCH)
    }

    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError> {
        let outputs = std::slice::from_mut(output);
        self.painted(&Request::Profile(self.number), &[input], outputs, control)
    }

    fn run_tensor(
        &mut self,
        input: &Frame,
        tap: Option<NormTap<'_>>,
    ) -> Result<Tensor, BackendError> {
        BackendError::check_size(input, self.size())?;
        let request = Request::RunTensor {
            session: self.number,
            with_maps: tap.is_some(),
        };
        let (headers, body): (Vec<MapHeader>, _) = self.link.ask(&request, &[input.rgba()])?;
        let mut maps = maps_of(headers, &body).map_err(|error| self.link.ended(&error))?;
        let missing = || self.link.ended(&"a map is missing");
        let mut last = maps.next().ok_or_else(missing)?;
        let mut tap = tap;
        for next in maps {
            let (name, map) = std::mem::replace(&mut last, next);
            if let Some(tap) = &mut tap {
                tap(&name, map);
            }
        }
        let (_, output) = last;
        if output.shape == Shape::new(3, self.spec.height, self.spec.width) {
            Ok(output)
        } else {
            Err(missing())
        }
    }
}
