//! Provisional CPU backend through the oracle.

use std::sync::Arc;

use super::{Backend, BackendError, DeviceInfo, NormTap, RunControl, Session, oracle};
use crate::{
    frame::Frame,
    mode::{DeviceChoice, Variant},
    network::{Network, NetworkSpec},
    plan::PlanSummary,
    tensor::{Shape, Tensor},
    timing::StepTiming,
};

/// The processor.
pub struct CpuBackend {
    threads: usize,
}

impl CpuBackend {
    /// A backend with at most `threads` workers (all when `None`).
    ///
    /// # Errors
    /// [`BackendError::Threads`].
    pub fn new(threads: Option<usize>) -> Result<Self, BackendError> {
        Ok(Self {
            threads: threads.unwrap_or(1),
        })
    }
}

struct CpuSession {
    network: Arc<Network>,
    summary: PlanSummary,
}

impl Backend for CpuBackend {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: DeviceChoice::Cpu,
            name: "CPU".to_owned(),
            threads: self.threads,
            instructions: String::new(),
        }
    }

    fn predicted_bytes(&self, s: &NetworkSpec, width: usize, height: usize, _v: Variant) -> u64 {
        (s.widths[0] * width * height * 8) as u64
    }

    fn open(
        &self,
        network: &Arc<Network>,
        width: usize,
        height: usize,
        variant: Variant,
    ) -> Result<Box<dyn Session>, BackendError> {
        Ok(Box::new(CpuSession {
            network: network.clone(),
            summary: PlanSummary {
                variant,
                width,
                height,
                steps: vec![],
                flops: network.spec().flops(height, width),
                peak_bytes: self.predicted_bytes(network.spec(), width, height, variant),
            },
        }))
    }
}

impl Session for CpuSession {
    fn summary(&self) -> PlanSummary {
        self.summary.clone()
    }

    fn paint(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError> {
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        *output = oracle::judge(&self.network, input).picture(input);
        control.set_progress(1.0);
        Ok(vec![])
    }

    fn run_tensor(
        &mut self,
        input: &Frame,
        _tap: Option<NormTap<'_>>,
    ) -> Result<Tensor, BackendError> {
        let o = oracle::judge(&self.network, input).output;
        Ok(Tensor {
            shape: Shape::new(3, o.height, o.width),
            data: o.data.iter().map(|&v| v as f32).collect(),
        })
    }
}
