//! Runs in a caller's stream: copies, the launches of the steps, and an event behind them. Launches instead of the
//! recording, because a recording cannot be replayed in a stream that is being captured; there are few of them, and they
//! start earlier than their predecessors end as in the recording.

use super::{
    device_network::DeviceNetwork,
    driver::{DevicePtr, DriverResult, Function, Queue},
    launches::{Launches, Prepared},
    transfers::{EventList, Pinned},
};
use crate::{BackendResult, ExternalJob};

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
    pub fn new(
        network: &DeviceNetwork,
        launches: &Launches,
        store_floats: Function,
    ) -> BackendResult<Self> {
        let failed = |f| network.backend_error(f);
        let makes_picture =
            |step: usize| network.maker().floats(&network.plan.steps[step].op).is_some();
        let mut exact = Vec::new();
        for together in &launches.together {
            if !together.steps.clone().any(makes_picture) {
                exact.extend(together.launches.iter().cloned());
                continue;
            }
            exact.extend(together.steps.clone().map(|step| {
                let prepared = &launches.single[step];
                network.writing_floats(&network.plan.steps[step], prepared, store_floats)
            }));
        }
        let mut flag = Pinned::take(&network.driver, network.plan.flag_bytes()).map_err(failed)?;
        flag.halves(0).1.fill(0);
        let ended = EventList::make(&network.driver, 1).map_err(failed)?;
        Ok(Self { ended, stream: None, flag, exact })
    }

    /// Queues a job in the queues of `on`, which are the caller's stream.
    pub fn queue(
        &mut self,
        on: &DeviceNetwork,
        launches: &Launches,
        job: ExternalJob,
    ) -> DriverResult {
        let (driver, plan) = (on.driver.as_ref(), &on.plan);
        let ended = self.ended.list[0];
        if self.stream.is_some_and(|stream| stream != job.stream) && !job.is_captured {
            driver.wait_event(Queue::Painting, ended)?;
        }
        driver.copy(on.at(on.layout.photo), DevicePtr(job.from), plan.photo_bytes())?;
        let (from, bytes) = if job.is_exact {
            (on.layout.floats, 3 * plan.painting_bytes())
        } else {
            (on.layout.painting, plan.painting_bytes())
        };
        let launched = if job.is_exact {
            self.exact.iter().try_for_each(|launch| on.launch(launch))
        } else {
            launches.together.iter().try_for_each(|together| on.launch_together(together))
        };
        let copied = launched.and_then(|()| driver.copy(DevicePtr(job.to), on.at(from), bytes));
        let flagged = copied.and_then(|()| {
            let from = on.at(on.layout.painting + plan.painting_bytes());
            let bytes = plan.flag_bytes();
            if bytes == 0 {
                return Ok(());
            }
            // SAFETY: pinned memory of this size that lives as long as the session, which waits before it is dropped.
            // The host only reads it after the event, or when the caller has waited for a captured job.
            unsafe { driver.download_pinned(self.flag.start, from, bytes, Queue::Painting) }
        });
        if !job.is_captured {
            // Recorded after a failure too, because some of the job may run.
            driver.record(ended, Queue::Painting)?;
            self.stream = Some(job.stream);
        }
        flagged
    }

    /// Waits for the jobs that are not captured, before something else uses the session's memory.
    pub fn wait(&self, on: &DeviceNetwork) -> DriverResult {
        match self.stream {
            Some(_) => on.driver.wait_for(self.ended.list[0], on.patience()),
            None => Ok(()),
        }
    }

    /// The failure of an earlier job, once.
    pub fn failure(&mut self, on: &DeviceNetwork) -> BackendResult {
        if self.flag.halves(0).1.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        let place = on.at(on.layout.painting + on.plan.painting_bytes());
        // No later job may report it again.
        let cleared = self.wait(on).and_then(|()| on.driver.clear(place, on.plan.flag_bytes()));
        self.flag.halves(0).1.fill(0);
        Err(cleared.map_or_else(|f| on.backend_error(f), |()| on.overflow()))
    }
}
