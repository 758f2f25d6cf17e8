//! Paints frames by a CUDA plan: sends them to the device and receives the paintings.
//!
//! Nothing is allocated per frame. For each frame: copy to pinned memory, upload, replay the graph, download. If
//! several frames follow each other, two slots alternate. Their transfers have separate queues, so one batch is
//! transferred while the other is painted. A session belongs to one thread at a time.

use std::sync::Arc;

use super::{
    composer::{ComposeSource, Composer},
    device_network::{DeviceNetwork, SessionDevice},
    driver::{Function, Purpose},
    external::ExternalJobs,
    frame_slot::{Extras, FrameSlot},
    raw_decoder::{self, Decoding},
    sent_photos::SentHandle,
    steady::DeviceSteady,
    transfers::EventList,
};
use crate::{
    BackendError, BackendResult, Capabilities, Composition, Declined, ExternalSession, Input,
    InspectSession, Job, RunControl, SentFrames, Session,
};
use network::Weights;
use plan::{PlanSummary, cuda::CudaPlan};
use values::{compose::Look, frame::Frame, raw_frame::RawFrame, timing::RunTiming};

/// A network prepared for a GPU and one picture size.
pub struct CudaSession {
    pub first: FrameSlot,
    /// Created when several batches first follow each other.
    second: Option<FrameSlot>,
    /// One more than the number of steps; created when a run is first profiled.
    pub step_events: Option<EventList>,
    /// Decodes a camera's frame; loaded for the first one.
    raw_decoder: Option<Function>,
    /// Steadies paintings; prepared for the first one.
    steady: Option<DeviceSteady>,
    /// The jobs in a caller's streams; prepared for the first one.
    pub external: Option<ExternalJobs>,
    /// Writes the output before rounding, in the variants in which storing the picture is a separate step.
    pub store_floats: Function,
    pub network: DeviceNetwork,
    composer: Arc<Composer>,
}

impl CudaSession {
    /// Uploads the network and records its graph in separate queues while other sessions paint. The session itself then
    /// paints in the queues of painting. Stops when `control` is cancelled.
    ///
    /// # Errors
    /// [`BackendError::OutOfDeviceMemory`], [`BackendError::Kernel`], [`BackendError::DeviceLost`],
    /// [`BackendError::Cancelled`], and [`BackendError::Library`] if the plan uses a library for convolutions and that
    /// fails.
    pub fn new(
        device: SessionDevice,
        weights: &Weights,
        plan: CudaPlan,
        control: &RunControl,
    ) -> BackendResult<Self> {
        let (painting, composer) = (device.driver.clone(), device.composer.clone());
        let preparing =
            SessionDevice { driver: painting.with_queues_for(Purpose::Preparing), ..device };
        let network = DeviceNetwork::new(preparing, weights, plan, control)?;
        let mut session = Self {
            first: FrameSlot::new(&network, network.layout.clone())?,
            second: None,
            step_events: None,
            raw_decoder: None,
            steady: None,
            external: None,
            store_floats: network.store_floats()?,
            network,
            composer,
        };
        // All uploads are finished, and a recording runs in the queue in which it is replayed.
        session.network.driver = painting;
        Ok(session)
    }

    pub fn check(
        &self,
        frames: &[&Frame],
        outputs: &[Frame],
        control: &RunControl,
    ) -> BackendResult {
        BackendError::check_run(frames, outputs, self.network.plan.photo, control)
    }

    /// Paints at most a batch of frames with one run, through the graph if `recorded`. Calls `meanwhile` while it
    /// waits.
    pub fn paint_group(
        &mut self,
        inputs: &[&Frame],
        outputs: &mut [Frame],
        control: &RunControl,
        recorded: bool,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult<RunTiming> {
        self.check(inputs, outputs, control)?;
        let Self { first, network, steady, .. } = self;
        first.stage(&network.plan, inputs);
        let timing = first.run(network, recorded, steadying(steady), meanwhile)?;
        first.offer(network);
        first.unstage(network, outputs)?;
        Ok(timing)
    }

    /// Paints several batches. Each is transferred while the previous one is painted. Returns the total times.
    fn paint_groups(
        &mut self,
        inputs: &[&Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> BackendResult<RunTiming> {
        self.check(inputs, outputs, control)?;
        if self.second.is_none() {
            let layout = self.network.layout.second_slot();
            self.second = Some(FrameSlot::new(&self.network, layout)?);
        }
        let painted = self.take_turns(inputs, outputs, control);
        if painted.is_err() {
            // A slot may still be in transfer. Its pinned memory must not change before the transfer is finished.
            self.network.driver.wait().ok();
        }
        painted
    }

    fn take_turns(
        &mut self,
        inputs: &[&Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> BackendResult<RunTiming> {
        let Self { first, second: Some(second), network, .. } = self else {
            return Err(BackendError::EMPTY_BATCH);
        };
        let failed = |f| network.backend_error(f);
        let (batch, all) = (network.plan.batch, inputs.len());
        let (mut timing, mut done) = (None::<RunTiming>, 0);
        let (mut next, mut other) = (first, second);
        let mut groups = inputs.chunks(batch).zip(outputs.chunks_mut(batch));
        let mut staged = groups.next().map(|(frames, to)| {
            next.stage(&network.plan, frames);
            to
        });
        let mut sent: Option<&mut [Frame]> = None;
        loop {
            if control.is_cancelled() {
                return Err(BackendError::Cancelled);
            }
            if staged.is_some() {
                next.send(network).map_err(failed)?;
            }
            let sent_now = staged.take();
            // The next batch is copied while both others are painted: their photos are already on the device.
            if let Some((frames, to)) = groups.next() {
                if sent.is_some() {
                    other.wait_for_upload(network).map_err(failed)?;
                }
                other.stage(&network.plan, frames);
                staged = Some(to);
            }
            // The previous batch, which was painted in the meantime.
            if let Some(painted) = sent {
                let run = other.receive(network).map_err(failed)?;
                timing = Some(timing.map_or(run, |before| before.then(run)));
                done += painted.len();
                other.unstage(network, painted)?;
                control.set_progress(done as f32 / all as f32);
            }
            sent = sent_now;
            if sent.is_none() {
                return timing.ok_or(BackendError::EMPTY_BATCH);
            }
            std::mem::swap(&mut next, &mut other);
        }
    }

    /// Composes one frame.
    fn compose(
        &mut self,
        frames: &[&Frame],
        paintings: &mut [Frame],
        composition: Composition<'_>,
        (control, meanwhile): (&RunControl, Option<&mut dyn FnMut()>),
    ) -> BackendResult<RunTiming> {
        let [input] = frames else {
            return Err(BackendError::UNABLE);
        };
        let Composition { source, blend, to } = composition;
        let look = blend.look().ok_or(BackendError::UNABLE)?;
        let source = source.unwrap_or(input);
        check_single(paintings, 0)?;
        self.check(frames, paintings, control)?;
        BackendError::check_size(to, (source.height(), source.width()))?;
        let source = (ComposeSource::Frame(source), Some(look));
        self.composed(source, frames, paintings, meanwhile, (None, Some(to)))
    }

    /// Paints a frame that is composed or resized on the device. `inputs` is the frame in the network's size, unless it
    /// is made there. The targets receive the decoded source and the composed picture.
    fn composed(
        &mut self,
        source: (ComposeSource<'_>, Option<Look>),
        inputs: &[&Frame],
        paintings: &mut [Frame],
        meanwhile: Option<&mut dyn FnMut()>,
        (upright, to): (Option<&mut Frame>, Option<&mut Frame>),
    ) -> BackendResult<RunTiming> {
        let Self { first, network, composer, steady, .. } = self;
        let failed = |f| network.backend_error(f);
        let with_paintings = !paintings.is_empty();
        let composing = composer.begin(network.on_device(), source, with_paintings, failed)?;
        first.stage(&network.plan, inputs);
        let extras = Extras { composing: Some(&composing), ..steadying(steady) };
        let timing = first.run(network, true, extras, meanwhile)?;
        first.unstage(network, paintings)?;
        composing.finish(upright, to);
        Ok(timing)
    }

    /// Paints a camera's frame.
    fn paint_raw(
        &mut self,
        (raw, upright): (&RawFrame, &mut Frame),
        paintings: &mut [Frame],
        composition: Option<Composition<'_>>,
        (control, meanwhile): (&RunControl, Option<&mut dyn FnMut()>),
    ) -> BackendResult<RunTiming> {
        let plan = &self.network.plan;
        let (width, height) = raw.size();
        let is_unable = |c: &Composition<'_>| c.source.is_some() || c.blend.look().is_none();
        if plan.batch != 1 || composition.as_ref().is_some_and(is_unable) {
            return Err(BackendError::UNABLE);
        }
        check_single(paintings, usize::from(composition.is_none()))?;
        BackendError::check_size(upright, (height, width))?;
        if let Some(composition) = &composition {
            BackendError::check_size(composition.to, (height, width))?;
        }
        BackendError::check_run(&[], paintings, plan.photo, control)?;
        match composition {
            None if (height, width) == plan.photo => {
                self.paint_raw_as_it_is(raw, upright, paintings, meanwhile)
            }
            composition => {
                let look = composition.as_ref().and_then(|c| c.blend.look());
                let targets = (Some(upright), composition.map(|c| c.to));
                self.composed((ComposeSource::Raw(raw), look), &[], paintings, meanwhile, targets)
            }
        }
    }

    /// Paints a camera's frame of the session's size.
    fn paint_raw_as_it_is(
        &mut self,
        raw: &RawFrame,
        upright: &mut Frame,
        paintings: &mut [Frame],
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult<RunTiming> {
        let function = match self.raw_decoder {
            Some(function) => function,
            None => {
                let decoder = self.network.function(raw_decoder::KERNEL, raw_decoder::KERNEL, 0)?;
                *self.raw_decoder.insert(decoder)
            }
        };
        let Self { first, network, steady, .. } = self;
        let from = network.at(network.layout.painting);
        let to = (network.at(network.layout.photo), network.plan.extended);
        let decoding = Decoding::new(function, raw, from, to);
        first.stage_raw(&network.plan, raw);
        let extras = Extras { decoding: Some(&decoding), ..steadying(steady) };
        let timing = first.run(network, true, extras, meanwhile)?;
        first.unstage_photo(&network.plan, upright);
        first.unstage(network, paintings)?;
        Ok(timing)
    }

    /// Paints frames that were sent to another session.
    fn paint_sent(
        &mut self,
        sent: &SentFrames,
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> BackendResult<RunTiming> {
        let gone = BackendError::Declined(Declined::FramesGone);
        let Self { first, network, .. } = self;
        let plan = &network.plan;
        let Some(photos) = sent.place::<SentHandle>() else {
            return Err(gone);
        };
        if !(1..=plan.batch).contains(&outputs.len()) {
            return Err(gone);
        }
        BackendError::check_run(&[], outputs, plan.photo, control)?;
        if !photos.is_of(&first.sent) {
            // Withdraws its own photos before it holds the others'. Otherwise two sessions that paint each other's
            // photos would wait for each other.
            first.sent.withdraw();
        }
        let painted = photos.while_there(|place| {
            place.suits(plan, &network.kernels).then(|| {
                let extras = Extras { sent: Some(place), ..Extras::default() };
                first.run(network, true, extras, None)
            })
        });
        let timing = painted.flatten().ok_or(gone)??;
        first.offer(network);
        first.unstage(network, outputs)?;
        Ok(timing)
    }

    /// Prepares for steadying the painting of `job`, if it says so.
    fn begin_steady(&mut self, job: &Job<'_>) -> BackendResult {
        let is_single = match &job.input {
            Input::Frames(frames) => frames.len() == 1,
            Input::Raw { .. } => true,
            Input::Sent(_) => false,
        };
        if job.steadiness.is_some() && !(is_single && self.capabilities().steadies) {
            return Err(BackendError::UNABLE);
        }
        if job.steadiness.is_some() && self.steady.is_none() {
            self.steady = Some(DeviceSteady::new(&self.network)?);
        }
        if let Some(steady) = &mut self.steady {
            steady.begin(job.steadiness);
        }
        Ok(())
    }

    fn run_job(
        &mut self,
        job: Job<'_>,
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult<RunTiming> {
        let Job { input, paintings, composition, .. } = job;
        match (input, composition) {
            (Input::Frames(frames), None) => {
                BackendError::check_batch(frames, paintings)?;
                if frames.len() > self.network.plan.batch {
                    self.paint_groups(frames, paintings, control)
                } else {
                    self.paint_group(frames, paintings, control, true, meanwhile)
                }
            }
            (Input::Frames(frames), Some(composition)) => {
                self.compose(frames, paintings, composition, (control, meanwhile))
            }
            (Input::Raw { frame, upright }, composition) => {
                self.paint_raw((frame, upright), paintings, composition, (control, meanwhile))
            }
            (Input::Sent(sent), None) => self.paint_sent(sent, paintings, control),
            (Input::Sent(_), Some(_)) => Err(BackendError::UNABLE),
        }
    }
}

/// Steadies the painting if the current job says so.
fn steadying(steady: &Option<DeviceSteady>) -> Extras<'_> {
    let steadying = steady.as_ref().filter(|steady| steady.is_on());
    Extras { steadying, ..Extras::default() }
}

/// Checks the number of paintings of a single frame: one, or zero if `least` allows it.
fn check_single(paintings: &[Frame], least: usize) -> BackendResult {
    if (least..=1).contains(&paintings.len()) {
        return Ok(());
    }
    Err(BackendError::WrongBatch { inputs: 1, outputs: paintings.len() })
}

impl Drop for CudaSession {
    fn drop(&mut self) {
        self.first.sent.withdraw();
        // The memory that is freed next may still be in use. A lost context cannot be waited for, but then nothing uses
        // the memory.
        self.network.driver.wait().ok();
        self.wait_for_external().ok();
    }
}

impl Session for CudaSession {
    fn summary(&self) -> PlanSummary {
        self.network.plan.summary(&self.first.launches.steps())
    }

    fn capabilities(&self) -> Capabilities {
        let plan = &self.network.plan;
        let is_single = plan.batch == 1;
        Capabilities {
            decodes: is_single,
            composes: true,
            composes_masks: false,
            steadies: is_single && DeviceSteady::suits(plan.photo),
            keeps_sent: true,
        }
    }

    fn run(
        &mut self,
        job: Job<'_>,
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult<RunTiming> {
        self.wait_for_external().map_err(|f| self.network.backend_error(f))?;
        self.begin_steady(&job)?;
        let run = self.run_job(job, control, meanwhile);
        if let Some(steady) = &mut self.steady {
            steady.end(&run);
        }
        if run.is_ok() {
            control.set_progress(1.0);
        }
        run
    }

    fn save_steady(&self) -> BackendResult<Vec<u8>> {
        self.steady
            .as_ref()
            .map_or(Ok(Vec::new()), DeviceSteady::save)
            .map_err(|f| self.network.backend_error(f))
    }

    fn restore_steady(&mut self, state: &[u8]) -> BackendResult {
        if !self.capabilities().steadies {
            return Ok(());
        }
        let steady = match &mut self.steady {
            Some(steady) => steady,
            None => self.steady.insert(DeviceSteady::new(&self.network)?),
        };
        steady.restore(state).map_err(|f| self.network.backend_error(f))
    }

    fn sent(&self) -> Option<SentFrames> {
        SentHandle::of(&self.first.sent).map(SentFrames::new)
    }

    fn external(&mut self) -> Option<&mut dyn ExternalSession> {
        Some(self)
    }

    fn inspect(&mut self) -> Option<&mut dyn InspectSession> {
        Some(self)
    }
}
