//! Performs the commands for jobs.

use super::{Jobs, batch::Batch, command::JobCommand};
use crate::{app::Shell, pages::photo::contact_sheet::ask_contact_sheet, shell::platform::Dialog};

impl Jobs {
    pub fn perform(&mut self, shell: &mut Shell, command: JobCommand) {
        use JobCommand::*;

        match command {
            AskContactSheet => ask_contact_sheet(shell),
            AskTargetFolder => shell.ask(Dialog::TargetFolder, |app, path| {
                if let Some(batch) = &mut app.jobs.batch {
                    batch.target = path;
                }
            }),
            StartBatch => self.confirm_batch(shell),
            StopBatch => self.stop_batch(shell),
            PauseBatch(pause) => self.pause_batch(shell, pause),
            ReplaceSkipped => self.batch = self.batch.as_ref().map(Batch::of_skipped),
            CloseBatch => self.batch = None,
            Exports(action) => self.act_on_exports(shell, action),
            ExportFilm => {}
        }
    }
}
