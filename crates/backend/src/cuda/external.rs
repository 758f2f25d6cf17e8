//! Runs in a caller's stream: copies, the launches of the steps, and an event behind them. Launches instead of the
//! recording, because a recording cannot be replayed in a stream that is being captured; there are few of them, and they
//! start earlier than their predecessors end as in the recording.

use std::mem;

use super::{
    device_network::DeviceNetwork,
    driver::{DevicePtr, DriverResult, Purpose, Queue},
    launches::Prepared,
    session::CudaSession,
    transfers::{EventList, Pinned},
};
use crate::{BackendResult, ExternalJob, ExternalSession};

/// The jobs of a session.
pub struct ExternalJobs {
    /// Passed when the last job that was not captured has ended.
    ended: EventList,
    /// The stream of that job; `None` before the first one.
    stream: Option<u64>,
    /// Receives the flag of every job.
    flag: Pinned,
    /// The launches that write the output before rounding.
    exact: Vec<Prepared>,
}

impl ExternalJobs {
    fn new(session: &CudaSession) -> BackendResult<Self> {
        let CudaSession { network, first, store_floats, .. } = session;
        let failed = |f| network.backend_error(f);
        let makes_picture =
            |step: usize| network.maker().floats(&network.plan.steps[step].op).is_some();
        let mut exact = Vec::new();
        for together in &first.launches.together {
            if !together.steps.clone().any(makes_picture) {
                exact.extend(together.launches.iter().cloned());
                continue;
            }
            exact.extend(together.steps.clone().map(|step| {
                let prepared = &first.launches.single[step];
                network.writing_floats(&network.plan.steps[step], prepared, *store_floats)
            }));
        }
        let mut flag = Pinned::take(&network.driver, network.plan.flag_bytes()).map_err(failed)?;
        flag.halves(0).1.fill(0);
        let ended = EventList::make(&network.driver, 1).map_err(failed)?;
        Ok(Self { ended, stream: None, flag, exact })
    }

    fn queue(
        &mut self,
        on: &DeviceNetwork,
        session: &[Prepared],
        job: ExternalJob,
    ) -> DriverResult {
        let (driver, plan) = (on.driver.as_ref(), &on.plan);
        let ended = self.ended.list[0];
        if self.stream.is_some_and(|stream| stream != job.stream) && !job.is_captured {
            driver.wait_event(Queue::Painting, ended)?;
        }
        driver.copy(on.at(on.layout.photo), DevicePtr(job.from), plan.photo_bytes())?;
        let (launches, from, bytes) = if job.is_exact {
            (&self.exact[..], on.layout.floats, 3 * plan.painting_bytes())
        } else {
            (session, on.layout.painting, plan.painting_bytes())
        };
        let launched = launches.iter().try_for_each(|launch| on.launch(launch));
        let copied = launched.and_then(|()| driver.copy(DevicePtr(job.to), on.at(from), bytes));
        let flagged = copied.and_then(|()| {
            let from = on.at(on.layout.painting + plan.painting_bytes());
            // SAFETY: pinned memory of this size that lives as long as the session, which waits before it is dropped.
            // The host only reads it after the event, or when the caller has waited for a captured job.
            match plan.flag_bytes() {
                0 => Ok(()),
                bytes => unsafe {
                    driver.download_pinned(self.flag.start, from, bytes, Queue::Painting)
                },
            }
        });
        if !job.is_captured {
            // Recorded after a failure too, because some of the job may run.
            driver.record(ended, Queue::Painting)?;
            self.stream = Some(job.stream);
        }
        flagged
    }
}

impl CudaSession {
    /// Waits for the caller's jobs, before something else uses the session's memory.
    pub fn wait_for_external(&self) -> DriverResult {
        match &self.external {
            Some(ExternalJobs { ended, stream: Some(_), .. }) => {
                self.network.driver.wait_for(ended.list[0], self.network.patience())
            }
            _ => Ok(()),
        }
    }

    /// The failure of an earlier job, once.
    fn external_failure(&mut self) -> BackendResult {
        let Self { external: Some(jobs), network, .. } = self else {
            return Ok(());
        };
        let (_, flag) = jobs.flag.halves(0);
        if flag.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        let place = network.at(network.layout.painting + network.plan.painting_bytes());
        let bytes = network.plan.flag_bytes();
        // No later job may report it again.
        let cleared = network.driver.wait_for(jobs.ended.list[0], network.patience());
        let cleared = cleared.and_then(|()| network.driver.clear(place, bytes));
        flag.fill(0);
        Err(cleared.map_or_else(|f| network.backend_error(f), |()| network.overflow()))
    }
}

impl ExternalSession for CudaSession {
    fn photo_size(&self) -> (usize, usize) {
        let (height, width) = self.network.plan.extended;
        (width, height)
    }

    unsafe fn queue(&mut self, job: ExternalJob) -> BackendResult {
        if self.external.is_none() {
            self.external = Some(ExternalJobs::new(self)?);
        }
        if !job.is_captured {
            self.external_failure()?;
        }
        self.first.sent.withdraw();
        let Self { external: Some(jobs), network, first, .. } = self else {
            return Ok(());
        };
        let launches: Vec<Prepared> = match job.is_exact {
            true => Vec::new(),
            false => first.launches.together.iter().flat_map(|t| t.launches.clone()).collect(),
        };
        let theirs = network.driver.with_queues_for(Purpose::External(job.stream));
        let own = mem::replace(&mut network.driver, theirs);
        let queued = jobs.queue(network, &launches, job);
        network.driver = own;
        queued.map_err(|f| network.backend_error(f))
    }

    fn finish(&mut self) -> BackendResult {
        self.wait_for_external().map_err(|f| self.network.backend_error(f))?;
        self.external_failure()
    }
}
