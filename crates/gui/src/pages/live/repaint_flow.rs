//! Repaints live pictures that the user keeps, with the detail of a photo: the frozen picture, and snapshots.
//!
//! The engine does this in parallel with the live pictures. The frozen picture is replaced when the repainted one is
//! ready. A snapshot waits for the repainted picture; if that is not available, the live picture is saved instead.

use std::{sync::Arc, time::Instant};

use super::{
    LivePage, LiveView,
    command::LiveCommand,
    files::save_snapshot,
    repaints::{Finer, Frozen, Waiting},
};
use crate::{app::Shell, intent::Intent, pages::photo::finished::SnapshotPicture, styles::Missing};
use engine::{
    Stylization,
    error::EngineError,
    paint::{PaintSettings, WorkingSize},
    protocol::{RepaintJob, RepaintNumber, Repainted},
};
use values::{
    frame::Frame,
    mode::{DeviceChoice, ModelSize},
};

/// Maximum number of snapshots that wait to be repainted; further ones are saved as they were painted live.
const MAX_WAITING: usize = 4;

impl LivePage {
    /// How to repaint a frame in the chosen style. `None` if no style is chosen or the user does not want pictures
    /// repainted, and while two modes are compared, which must be judged by their live pictures.
    pub fn finer(&self, shell: &Shell) -> Option<Finer> {
        let sent = self
            .view
            .as_ref()
            .filter(|live| !live.compares())?
            .sent
            .settings
            .as_ref()
            .filter(|_| shell.settings.live.repaint_kept)?;
        let network = shell.workspace.choice.network(shell.model_of_style(ModelSize::Full))?;
        // A single picture has its own size, and none before it.
        let Stylization { network: _, size: _, mode, look, steadiness: _, mask: _ } =
            sent.stylization;
        Some(Finer { network, mode, look })
    }

    /// Starts to repaint the frozen picture and waiting snapshots as soon as possible. Discards a frozen picture if it
    /// was resumed or the choice has changed.
    pub fn follow_repaints(&mut self, shell: &mut Shell) {
        let wanted = self.frozen_sequence().zip(self.finer(shell));
        let frozen = self.repaints.frozen.as_ref();
        if frozen.map(|frozen| (frozen.sequence, &frozen.finer))
            != wanted.as_ref().map(|(s, f)| (*s, f))
        {
            self.give_up_frozen(shell);
            if let Some((sequence, finer)) = wanted {
                self.repaint_frozen(shell, sequence, finer);
            }
        }
        for mut snapshot in std::mem::take(&mut self.repaints.waiting) {
            if snapshot.number.is_none() {
                match request_repaint(shell, &snapshot.frame, &snapshot.finer) {
                    Ok(number) => snapshot.number = number,
                    Err(why) => {
                        self.save_as_seen(shell, snapshot.shown, &why);
                        continue;
                    }
                }
            }
            self.repaints.waiting.push(snapshot);
        }
        if let Some(live) = &mut self.view {
            let frozen = self.repaints.frozen.as_ref().filter(|_| !live.refined.stays_as_seen);
            live.refined.is_repainting = frozen.is_some_and(|frozen| frozen.number.is_some())
                || !self.repaints.waiting.is_empty();
            live.refined.may_repaint = shell.settings.live.repaint_kept && !live.compares();
        }
    }

    /// Number of the frozen frame, once it is on the stage with the current choice.
    fn frozen_sequence(&self) -> Option<u64> {
        let live = self.view.as_ref().filter(|live| live.frozen)?;
        let facts = live.facts.as_ref()?;
        let is_chosen = facts.settings >= live.sent.number && live.snapshot.preparing.is_none();
        is_chosen.then_some(facts.sequence)
    }

    fn repaint_frozen(&mut self, shell: &mut Shell, sequence: u64, finer: Finer) {
        let Some(frame) = self
            .view
            .as_ref()
            .and_then(|live| live.pictures.as_ref())
            .map(|pictures| Arc::new(pictures.value.original.clone()))
        else {
            return;
        };
        let number = match request_repaint(shell, &frame, &finer) {
            // The network is being loaded.
            Ok(None) => return,
            Ok(number) => number,
            Err(why) => {
                say_not_repainted(shell, &why);
                None
            }
        };
        self.repaints.frozen = Some(Frozen { sequence, finer, number });
    }

    fn give_up_frozen(&mut self, shell: &mut Shell) {
        let number = self.repaints.frozen.take().and_then(|frozen| frozen.number);
        if let Some(number) = number
            && !self.repaints.waiting.iter().any(|snapshot| snapshot.number == Some(number))
        {
            shell.cancel_repaint(number);
        }
    }

    /// Saves a snapshot when it is repainted, or `shown` if that is not possible.
    pub fn keep(
        &mut self,
        shell: &mut Shell,
        frame: Arc<Frame>,
        finer: Option<Finer>,
        shown: SnapshotPicture,
    ) {
        let Some(finer) = finer else {
            save_snapshot(shell, shown, None);
            return;
        };
        if self.repaints.waiting.len() >= MAX_WAITING {
            self.save_as_seen(shell, shown, "several others are waiting");
            return;
        }
        // The frozen picture is already being repainted.
        let number = self
            .repaints
            .frozen
            .as_ref()
            .filter(|frozen| {
                Some(frozen.sequence) == self.frozen_sequence() && frozen.finer == finer
            })
            .and_then(|frozen| frozen.number);
        self.repaints.waiting.push(Waiting { number, frame, finer, shown });
        self.follow_repaints(shell);
    }

    /// Also saves the live picture of a snapshot.
    pub fn save_seen(&mut self, shell: &mut Shell, seen: Arc<SnapshotPicture>) {
        save_snapshot(shell, (*seen).clone(), None);
        shell.messages.forget_offer(&Intent::Live(LiveCommand::SaveAsSeen(seen)));
    }

    /// Records the picture that is now on the stage instead of the frozen one.
    pub fn record_what_is_seen(&mut self, shell: &mut Shell, shown: Option<Arc<Repainted>>) {
        let is_recording = self.view.as_ref().is_some_and(LiveView::is_recording);
        if let Some(shown) = shown.filter(|_| is_recording) {
            shell.engine.record_finer(shown, Instant::now());
        }
    }

    fn save_as_seen(&mut self, shell: &mut Shell, shown: SnapshotPicture, why: &str) {
        shell.messages.notice(format!(
            "The snapshot could not be refined and shows the live version ({why})"
        ));
        save_snapshot(shell, shown, None);
    }

    /// Handles a repainted frame, or the failure.
    fn handle_repainted(
        &mut self,
        shell: &mut Shell,
        number: RepaintNumber,
        result: Result<Arc<Repainted>, EngineError>,
    ) {
        for snapshot in (self.repaints.waiting)
            .extract_if(.., |waiting| waiting.number == Some(number))
            .collect::<Vec<_>>()
        {
            match &result {
                Ok(repainted) => {
                    let seen = snapshot.shown;
                    save_snapshot(
                        shell,
                        seen.clone().repainted(repainted, snapshot.finer.network),
                        Some(seen),
                    );
                }
                Err(error) => self.save_as_seen(shell, snapshot.shown, &error.to_string()),
            }
        }
        let frozen = self.repaints.frozen.as_mut();
        if frozen.and_then(|frozen| frozen.number.take_if(|n| *n == number)).is_none() {
            return;
        }
        match (result, &mut self.view) {
            (Ok(repainted), Some(live)) => {
                for note in &repainted.notes {
                    shell.messages.notice(note.clone());
                }
                live.show_finer(&shell.ctx, repainted);
                let shown = live.shown_finer().cloned();
                self.record_what_is_seen(shell, shown);
            }
            (Err(error), _) => say_not_repainted(shell, &error.to_string()),
            (Ok(_), None) => {}
        }
    }
}

/// Requests to repaint `frame`. Returns `Ok(None)` until the network is loaded.
fn request_repaint(
    shell: &mut Shell,
    frame: &Arc<Frame>,
    finer: &Finer,
) -> Result<Option<RepaintNumber>, String> {
    let network = match shell.network(&finer.network) {
        Ok(network) => network,
        Err(Missing::Loading) => return Ok(None),
        Err(Missing::Failed) => return Err("its network could not be loaded".to_owned()),
    };
    // A CPU takes seconds for more than a photo's usual size, so the result is upscaled to the frame's size.
    let is_gpu = shell.device.is(DeviceChoice::Cuda);
    let working_size = if is_gpu { WorkingSize::Original } else { WorkingSize::Auto };
    let job = RepaintJob {
        frame: frame.clone(),
        network,
        settings: PaintSettings { working_size, ..PaintSettings::of_mode(finer.mode) },
        look: finer.look,
    };
    Ok(Some(shell.repaint(job, |app, number, result| {
        app.live.handle_repainted(&mut app.shell, number, result)
    })))
}

fn say_not_repainted(shell: &mut Shell, why: &str) {
    shell.messages.notice(format!("The frozen picture could not be refined ({why})"));
}
