//! A session as a caller uses it in its own streams.

use std::mem;

use super::{driver::Purpose, external::ExternalJobs, session::CudaSession};
use crate::{BackendResult, ExternalJob, ExternalSession};

impl ExternalSession for CudaSession {
    fn photo_size(&self) -> (usize, usize) {
        let (height, width) = self.network.plan.extended;
        (width, height)
    }

    unsafe fn queue(&mut self, job: ExternalJob) -> BackendResult {
        let Self { external, network, first, store_floats, .. } = self;
        let jobs = match external {
            Some(jobs) => jobs,
            None => external.insert(ExternalJobs::new(network, &first.launches, *store_floats)?),
        };
        if !job.is_captured {
            jobs.failure(network)?;
        }
        first.sent.withdraw();
        let theirs = network.driver.with_queues_for(Purpose::External(job.stream));
        let own = mem::replace(&mut network.driver, theirs);
        let queued = jobs.queue(network, &first.launches, job);
        network.driver = own;
        queued.map_err(|f| network.backend_error(f))
    }

    fn finish(&mut self) -> BackendResult {
        let Self { external: Some(jobs), network, .. } = self else {
            return Ok(());
        };
        jobs.wait(network).map_err(|f| network.backend_error(f))?;
        jobs.failure(network)
    }
}
