//! The server's end, which has the backend: answers one call after another.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    sync::Arc,
};

use serde::Serialize;

use super::wire::{
    Answer, Hello, MapHeader, Request, batch_bytes, bytes_of, invalid, network_of, read_request,
    send,
};
use crate::{
    backend::{
        Backend, BackendError, Inspect, InspectSession, NormTap, RunControl, Session, SessionSpec,
    },
    frame::Frame,
    tensor::Tensor,
    timing::{RunTiming, StepTiming},
};

/// Serves a backend to the client that reads `to` and writes `from`, until the client closes `from`. A backend
/// that could not be opened is sent as such, and nothing else.
///
/// # Errors
/// The pipes', and [`io::ErrorKind::InvalidData`] when a call makes no sense.
pub fn serve(
    backend: Result<Arc<dyn Backend>, BackendError>,
    from: &mut dyn Read,
    to: &mut dyn Write,
) -> io::Result<()> {
    let hello: Answer<Hello> = backend
        .as_ref()
        .map_err(Clone::clone)
        .map(|b| Hello { version: env!("CARGO_PKG_VERSION").to_owned(), device: b.device() });
    send(to, &hello, &[])?;
    let Ok(backend) = backend else {
        return Ok(());
    };
    let mut server = Server { backend, sessions: HashMap::new() };
    while let Some((request, body)) = read_request(from, |session| server.batch_bytes(session))? {
        server.answer(request, &body, to)?;
    }
    Ok(())
}

/// Ends this process soon after the one that started it is gone, even while a call into the driver
/// hangs, which never comes back to see that the pipe is closed.
///
/// # Errors
/// The operating system's, when it gives no thread to watch with.
#[cfg(unix)]
pub fn end_with_parent() -> io::Result<()> {
    use std::{os::unix::process::parent_id, thread, time::Duration};
    let parent = parent_id();
    thread::Builder::new()
        .name("parent-watch".to_owned())
        .spawn(move || {
            while parent_id() == parent {
                thread::sleep(Duration::from_secs(1));
            }
            // Leaves time for the usual end.
            thread::sleep(Duration::from_secs(2));
            // SAFETY: ends the process without running anything of it: exit handlers of a driver that
            // hangs would hang as well.
            unsafe { libc::_exit(1) }
        })
        .map(drop)
}

/// Nothing: where a parent's end cannot be seen, only the closed pipe ends this process.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn end_with_parent() -> io::Result<()> {
    Ok(())
}

struct Server {
    backend: Arc<dyn Backend>,
    sessions: HashMap<u64, Served>,
}

/// A session and what it was opened for.
struct Served {
    session: Box<dyn Session>,
    spec: SessionSpec,
}

impl Server {
    fn answer(&mut self, request: Request, body: &[u8], to: &mut dyn Write) -> io::Result<()> {
        let backend = &self.backend;
        match request {
            Request::Supports(mode) => send(to, &backend.supports(mode), &[]),
            Request::AutoPrecision(variant) => reply(to, backend.auto_precision(variant)),
            Request::PredictedBytes(graph, spec) => {
                send(to, &backend.predicted_bytes(&graph, &spec), &[])
            }
            Request::FreeBytes => reply(to, backend.free_bytes()),
            Request::ClockMhz => reply(to, backend.inspect().and_then(Inspect::clock_mhz)),
            Request::Open(number, graph, spec) => {
                let network = Arc::new(network_of(graph, body)?);
                let opened = backend.open(&network, &spec).map(|session| {
                    let summary = session.summary();
                    self.sessions.insert(number, Served { session, spec });
                    summary
                });
                send(to, &opened, &[])
            }
            Request::Close(number) => {
                self.sessions.remove(&number);
                reply(to, ())
            }
            Request::Paint(number) => {
                let (timing, painted) = split(self.session(number)?.paint(body)?);
                send(to, &timing, &painted.each_rgba())
            }
            Request::Profile(number) => {
                let (timing, painted) = split(self.session(number)?.profile(body)?);
                send(to, &timing, &painted.each_rgba())
            }
            Request::RunTensor { session, with_maps } => {
                let maps = self.session(session)?.run_tensor(body, with_maps)?;
                let headers: Answer<Vec<MapHeader>> = maps
                    .as_ref()
                    .map_err(Clone::clone)
                    .map(|maps| maps.iter().map(|(n, m)| (n.clone(), m.shape)).collect());
                let values: Vec<Vec<u8>> =
                    (maps.iter().flatten()).map(|(_, map)| bytes_of(&map.data)).collect();
                let parts: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
                send(to, &headers, &parts)
            }
        }
    }

    /// Bytes of a whole batch of frames of an open session.
    fn batch_bytes(&self, number: u64) -> Option<u64> {
        batch_bytes(&self.sessions.get(&number)?.spec)
    }

    fn session(&mut self, number: u64) -> io::Result<&mut Served> {
        self.sessions.get_mut(&number).ok_or_else(|| invalid("a session that was never opened"))
    }
}

/// Sends an answer that cannot be a failure.
fn reply(to: &mut dyn Write, answer: impl Serialize) -> io::Result<()> {
    send(to, &Answer::Ok(answer), &[])
}

/// Frames that go into one body.
#[derive(Default)]
struct Painted(Vec<Frame>);

impl Painted {
    fn each_rgba(&self) -> Vec<&[u8]> {
        self.0.iter().map(Frame::rgba).collect()
    }
}

/// The header and the body of an answer.
fn split<T>(answer: Answer<(T, Vec<Frame>)>) -> (Answer<T>, Painted) {
    match answer {
        Ok((header, frames)) => (Ok(header), Painted(frames)),
        Err(error) => (Err(error), Painted::default()),
    }
}

impl Served {
    /// The frames of a body, at least one.
    fn frames(&self, body: &[u8]) -> io::Result<Vec<Frame>> {
        let (width, height) = (self.spec.width, self.spec.height);
        let bytes = width.checked_mul(height).and_then(|n| n.checked_mul(4));
        let Some(bytes) = bytes.filter(|&bytes| bytes != 0 && !body.is_empty()) else {
            return Err(invalid("a picture of another size"));
        };
        if !body.len().is_multiple_of(bytes) {
            return Err(invalid("a picture of another size"));
        }
        body.chunks(bytes)
            .map(|rgba| {
                Frame::from_rgba(width, height, rgba.to_vec()).map_err(|e| invalid(&e.to_string()))
            })
            .collect()
    }

    fn paint(&mut self, body: &[u8]) -> io::Result<Answer<(RunTiming, Vec<Frame>)>> {
        let inputs = self.frames(body)?;
        let mut outputs = inputs.clone();
        let control = RunControl::default();
        let run = self.session.run(&inputs, &mut outputs, &control, None);
        Ok(run.map(|timing| (timing, outputs)))
    }

    fn inspected(&mut self) -> io::Result<&mut dyn InspectSession> {
        let inspected = self.session.inspect();
        inspected.ok_or_else(|| invalid("a look into a session that only paints"))
    }

    fn profile(&mut self, body: &[u8]) -> io::Result<Answer<(Vec<StepTiming>, Vec<Frame>)>> {
        let inputs = self.frames(body)?;
        let mut outputs = inputs.clone();
        let steps = self.inspected()?.profile(&inputs[0], &mut outputs[0], &RunControl::default());
        Ok(steps.map(|steps| (steps, outputs)))
    }

    /// The maps by the names of their norms where they are requested, and the output without a name.
    fn run_tensor(
        &mut self,
        body: &[u8],
        with_maps: bool,
    ) -> io::Result<Answer<Vec<(String, Tensor)>>> {
        let inputs = self.frames(body)?;
        let mut maps = Vec::new();
        let mut tap = |norm: &str, map: Tensor| maps.push((norm.to_owned(), map));
        let tap: Option<NormTap<'_>> = if with_maps { Some(&mut tap) } else { None };
        let output = self.inspected()?.run_tensor(&inputs[0], tap);
        Ok(output.map(|output| {
            maps.push((String::new(), output));
            maps
        }))
    }
}
