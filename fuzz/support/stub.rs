//! A backend that paints nothing and answers at once, and what the program asks of one.

use std::sync::Arc;

use styleforge::{
    backend::{
        Backend, BackendError, DeviceInfo, Inspect, InspectSession, NormTap, RunControl, Session,
        SessionSpec,
    },
    frame::Frame,
    graph::Graph,
    mode::{DeviceChoice, Mode, Precision, Variant},
    models::johnson::NetworkSpec,
    network::Network,
    plan::PlanSummary,
    tensor::{Shape, Tensor},
    timing::RunTiming,
};

/// Columns of every picture that [`ask_everything`] has painted.
pub const WIDTH_PX: usize = 3;
/// Rows of every picture that [`ask_everything`] has painted.
pub const HEIGHT_PX: usize = 2;
/// Most pixels of a session; a real device refuses what it cannot hold.
const MAX_PIXELS: usize = 1 << 12;

/// The device.
pub struct Stub;

struct StubSession(SessionSpec);

impl Backend for Stub {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: DeviceChoice::Cuda,
            name: "Stub".to_owned(),
            threads: 7,
            instructions: "sm_90".to_owned(),
        }
    }

    fn supports(&self, mode: Mode) -> Result<(), BackendError> {
        if mode.precision == Precision::Bf16 {
            return Err(BackendError::Cancelled);
        }
        Ok(())
    }

    fn auto_precision(&self, _: Variant) -> Precision {
        Precision::Fp16
    }

    fn predicted_bytes(&self, _: &Graph, _: &SessionSpec) -> Result<u64, BackendError> {
        Ok(1 << 20)
    }

    fn free_bytes(&self) -> Option<u64> {
        Some(1 << 30)
    }

    fn open_unless_cancelled(
        &self,
        _: &Arc<Network>,
        spec: &SessionSpec,
        _: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        match spec.width.checked_mul(spec.height) {
            Some(1..=MAX_PIXELS) => Ok(Box::new(StubSession(*spec))),
            _ => Err(BackendError::Cancelled),
        }
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }
}

impl Inspect for Stub {
    fn clock_mhz(&self) -> Option<u32> {
        Some(1980)
    }
}

impl Session for StubSession {
    fn summary(&self) -> PlanSummary {
        let Self(spec) = self;
        let mut summary =
            PlanSummary::without_steps(spec.mode, spec.batch, (spec.width, spec.height));
        summary.steps.push(("conv1".to_owned(), "direct".to_owned()));
        summary
    }

    fn run(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        _: &RunControl,
        _: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        for (input, output) in inputs.iter().zip(outputs) {
            output.rgba_mut().copy_from_slice(input.rgba());
        }
        Ok(RunTiming::host(1.5))
    }

    fn inspect(&mut self) -> Option<&mut dyn InspectSession> {
        Some(self)
    }
}

impl InspectSession for StubSession {
    fn run_tensor(&mut self, _: &Frame, tap: Option<NormTap<'_>>) -> Result<Tensor, BackendError> {
        let shape = Shape::new(3, self.0.height, self.0.width);
        if let Some(tap) = tap {
            tap("in1", Tensor::zeros(shape));
        }
        Ok(Tensor::zeros(shape))
    }
}

/// Asks a backend for all that it can be asked, and checks what has to hold whatever it answers.
pub fn ask_everything(backend: &dyn Backend) {
    let mode = Mode::new(Variant::Fused, Precision::Fp32);
    let _ = backend.device().parallelism();
    let _ = backend.supports(mode);
    let _ = backend.auto_precision(Variant::Baseline);
    let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([1, 1, 1]) };
    let Ok(network) = spec.random(1) else {
        panic!("the smallest network is a network");
    };
    let batch = SessionSpec { batch: 2, ..SessionSpec::single(WIDTH_PX, HEIGHT_PX, mode) };
    let _ = backend.predicted_bytes(network.graph(), &batch);
    let _ = (backend.free_bytes(), backend.inspect().and_then(Inspect::clock_mhz));
    let Ok(mut session) = backend.open(&Arc::new(network), &batch) else {
        return;
    };
    let _ = session.summary();
    let photo = Frame::from_fn(WIDTH_PX, HEIGHT_PX, |x, y| [x as u8, y as u8, 9, 255]);
    let mut paintings = [photo.clone(), photo.clone(), photo.clone()];
    let control = RunControl::default();
    let _ = session.paint(&photo, &mut paintings[0], &control);
    let photos = paintings.clone();
    let _ = session.run(&photos, &mut paintings, &control, None);
    let Some(session) = session.inspect() else {
        return;
    };
    let _ = session.profile(&photo, &mut paintings[0], &control);
    let _ = session.run_tensor(&photo, None);
    let mut whole = true;
    let mut tap = |_: &str, map: Tensor| whole &= map.data.len() == map.shape.len();
    if let Ok(output) = session.run_tensor(&photo, Some(&mut tap)) {
        whole &= output.data.len() == output.shape.len();
    }
    assert!(whole, "a map has fewer values than its shape says");
}
