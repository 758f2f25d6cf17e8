//! Opens the form, runs the queue, and remembers it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use crossbeam_channel::bounded;
use itertools::Itertools;

use super::{Action, Export, Form, Queue, Run, Running, run::Progress};
use crate::{
    app::{App, Shell},
    choice::{Choice, NetworkOf},
    intent::{Intent, JobCommand, ShellCommand},
    jobs::{
        Jobs,
        batch::{BatchStyle, counted, painting_name},
        time_left::Stopwatch,
    },
    pages::photo::PhotoPage,
    shell::{
        messages::Offer,
        overlays::Overlay,
        platform::Dialog,
        settings_file::KeptFile,
        tasks::{OrText, named},
    },
    styles::{Missing, mix::Mix},
    widgets::label::{editable, name_label, path_label, sentence},
};
use engine::{
    film::{Rendered, USUAL_QUALITY, discard},
    paint::Painting,
};
use media::{
    film::{Codec, Container, OpenFilm, Range},
    framing::Framing,
};
use network::Network;
use settings::Choices;
use values::{
    disk::{self, Existing, WriteError, reason},
    frame::Frame,
    mode::DeviceChoice,
};

/// The button that resumes exports.
const RESUME: Offer = ("Resume exports", Intent::Job(JobCommand::Exports(Action::Pause(false))));
/// Name of the file of the queue.
const FILE: &str = "exports.toml";
/// Time between frames of the window while an export runs.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// How long the end of the program waits for an export to stop its processes.
const PATIENCE: Duration = Duration::from_secs(20);

fn write(text: &String, path: &Path) -> Result<(), WriteError> {
    disk::make_folder(disk::folder_of(path))?;
    disk::write_bytes(path, text.as_bytes(), Existing::Replace)
}

impl Jobs {
    /// Reads the queue, which is kept next to the settings.
    pub fn load_exports(&mut self, shell: &mut Shell) {
        let Some(settings) = &shell.settings_file.path else {
            return;
        };
        let path = settings.with_file_name(FILE);
        self.exports.file = KeptFile::new(Some(path.clone()));
        let table = settings::read_table(&path);
        match table.and_then(|table| table.map(Queue::from_table).transpose()) {
            Ok(queue) => {
                self.exports.queue = queue.unwrap_or_default();
                let unfinished = counted(self.exports.queue.unfinished(), "export");
                if self.exports.queue.was_killed {
                    let text = format!("{unfinished} stopped: StyleForge closed unexpectedly.");
                    shell.messages.error_with(text, RESUME);
                } else {
                    self.report_pause(shell, format!("{unfinished} paused."));
                }
            }
            Err(why) => {
                let kept = disk::free_path(path.with_extension("damaged"));
                // If it cannot be renamed, the next list replaces it.
                disk::rename(&path, &kept).ok();
                shell.messages.error(format!(
                    "The list of exports cannot be read: {why}. It is kept as {}.",
                    path_label(&kept)
                ));
            }
        }
    }

    /// If exports are paused, shows this text with a button that resumes them; returns whether they are.
    fn report_pause(&mut self, shell: &mut Shell, text: String) -> bool {
        let is_paused = self.exports.queue.is_paused && self.exports.queue.unfinished() > 0;
        if is_paused {
            shell.messages.offer(text, RESUME);
        }
        is_paused
    }

    /// Work that writes the queue.
    fn exports_written(&mut self) -> Option<impl FnOnce() -> Result<(), String> + Send + use<>> {
        // A path that is not Unicode cannot be written; the list on the disk then stays as it is.
        self.exports.file.write(&toml::to_string(&self.exports.queue).ok()?, write)
    }

    fn exports_changed(&mut self, shell: &mut Shell) {
        if let Some(write) = self.exports_written() {
            shell.tasks.spawn_writing(write, App::report_failure);
        }
    }

    /// Shows the form that exports a part of a video as the window paints now.
    pub fn open_export(&mut self, shell: &mut Shell, film: Arc<OpenFilm>, range: Range) {
        let choice = Choice { model: shell.model(), ..shell.workspace.choice.clone() };
        let Some(network) = choice.network(choice.model) else {
            return shell.messages.notice("Choose a style first.");
        };
        let look = choice.look;
        let (width, height) = choice.framing.size(film.size);
        // A film that is smaller than the chosen detail is painted at its own size.
        let (width, height) = choice.working_size().resolve(width, height);
        let painting = format!(
            "{} · Strength {} % · Detail {} px{}",
            shell.styles.name_of(&network),
            look.strength_percent,
            width.max(height),
            if look.keep_colors { " · Original colours" } else { "" }
        );
        let (folder, style) = (shell.save_folder(), network.label());
        let taken = self.outputs_of_exports();
        let mut export = Export { range, ..export_of(film.path.clone(), &choice) };
        let prepare = move || {
            let is_free = |path: &PathBuf| !path.exists() && !taken.contains(path);
            // An animation stays one.
            let container = Container::from_path(&export.source)
                .filter(|container| container.is_animation())
                .unwrap_or(Container::Mp4);
            let name = painting_name(&export.source, &style, container.extension());
            export.output = disk::numbered_path(folder.join(name), is_free);
            Ok(Form::new(export, film, painting))
        };
        shell
            .run(prepare, |app, form| app.shell.overlays.show(Overlay::ExportForm(Box::new(form))));
    }

    /// The files that exports will write.
    fn outputs_of_exports(&self) -> Vec<PathBuf> {
        self.exports
            .queue
            .entries
            .iter()
            .filter(|entry| !entry.is_done())
            .map(|entry| entry.export.output.clone())
            .collect()
    }

    /// Adds exports of the videos of a batch, in its styles and into its folder. Unless it `replaces` files, videos that
    /// were exported there before are left out.
    pub fn export_films(
        &mut self,
        shell: &mut Shell,
        films: &[PathBuf],
        styles: &[BatchStyle],
        folder: &Path,
        replaces: bool,
    ) {
        let mut taken = self.outputs_of_exports();
        let mut existing = 0;
        for style in styles {
            let mut choice = shell.workspace.photo_choice().clone();
            choice.framing = Framing::default();
            if let NetworkOf::Style(id, model) = &style.network {
                (choice.mix, choice.model) = (Mix::of(Some(id.clone())), *model);
            }
            for source in films {
                // The source's own container holds its sound.
                let container = Container::from_path(source).unwrap_or(Container::Mp4);
                let name = painting_name(source, &style.network.label(), container.extension());
                let output = disk::numbered_path(folder.join(name), |path| !taken.contains(path));
                taken.push(output.clone());
                if output.exists() && !replaces {
                    existing += 1;
                    continue;
                }
                let export = export_of(source.clone(), &choice);
                self.exports.queue.add(Export {
                    output,
                    replaces,
                    codec: container.usual_codec(),
                    ..export
                });
            }
        }
        let all = films.len() * styles.len();
        if existing > 0 {
            shell.messages.notice(format!(
                "{existing} of {all} videos exist already. “Overwrite existing files” exports them again."
            ));
        }
        if existing < all {
            self.exports_changed(shell);
            let added = format!("{} added to the exports", counted(all - existing, "video"));
            if !self.report_pause(shell, format!("{added}, which are paused.")) {
                let list = ("Show exports", Intent::Shell(ShellCommand::ToggleDock));
                shell.messages.offer(format!("{added}."), list);
            }
        }
    }

    /// Has exports follow a style that has a new id.
    pub fn rename_in_exports(&mut self, shell: &mut Shell, old: &str, new: &str) {
        if !self.exports.queue.entries.is_empty() {
            self.exports.queue.rename_style(old, new);
            self.exports_changed(shell);
        }
    }

    /// Does what the user wants with exports.
    pub fn act_on_exports(&mut self, shell: &mut Shell, action: Action) {
        match action {
            Action::AskFile => ask_export_file(shell),
            Action::Confirm => {
                if let Some(form) = shell.overlays.export_form() {
                    self.exports.queue.add(form.export.clone());
                    shell.close_overlay();
                    self.report_pause(shell, "Added to the exports, which are paused.".to_owned());
                }
            }
            Action::Pause(pause) => self.pause_exports(shell, pause),
            Action::Cancel(id) => {
                let running = self.exports.running.as_ref().filter(|running| running.id == id);
                let painted = running.map_or_else(String::new, |running| {
                    running.run.control.cancel();
                    format!(" at {}", running.done())
                });
                self.exports.queue.cancel(id, painted);
            }
            Action::Remove(id) => self.remove_export(shell, id),
            Action::Retry(id) => {
                shell.styles.retry_networks(|_| true);
                self.exports.queue.retry(id);
            }
            Action::Move(id, before) => self.exports.queue.move_before(id, before),
            Action::ClearDone => self.exports.queue.clear_done(),
        }
        self.exports_changed(shell);
    }

    fn pause_exports(&mut self, shell: &mut Shell, pause: bool) {
        let now = shell.now();
        self.exports.queue.is_paused = pause;
        shell.messages.withdraw(|offered| *offered == RESUME.1);
        if let Some(running) = &mut self.exports.running {
            running.run.progress.is_paused.store(pause, Ordering::Relaxed);
            running.watch.pause(pause, now);
        }
    }

    /// Removes an export that does not run, with its parts.
    fn remove_export(&mut self, shell: &mut Shell, id: u64) {
        // One that was just cancelled may not have ended; its parts are removed when it has.
        let has_ended = self.exports.running.as_ref().is_none_or(|running| running.id != id);
        if let Some(entry) = self.exports.queue.remove(id).filter(|e| e.has_parts && has_ended) {
            discard_parts(shell, entry.export.output);
        }
    }

    /// Begins the next export when the last one has ended, and measures for the form; `moves` if pictures move on the stage.
    pub fn serve_exports(&mut self, shell: &mut Shell, photos: &mut PhotoPage, moves: bool) {
        let running = self.exports.running.as_ref();
        if let Some(ended) = running.and_then(|running| running.ended.try_recv().ok())
            && let Some(running) = self.exports.running.take()
        {
            self.end_export(shell, photos, running, ended);
        }
        let running = self.exports.running.as_ref();
        self.exports.waits = moves && running.is_some_and(|running| !running.run.on_gpu);
        if shell.device.info.is_some() && !shell.ending.is_closing {
            self.begin_export(shell);
            self.measure_for_form(shell);
        }
        if self.exports.running.is_some() {
            shell.ctx.request_repaint_after(PROGRESS_EVERY);
        }
    }

    fn begin_export(&mut self, shell: &mut Shell) {
        let Some((id, export)) = self
            .exports
            .queue
            .next()
            .filter(|_| self.exports.running.is_none())
            .map(|entry| (entry.id, entry.export.clone()))
        else {
            return;
        };
        let choice = Choice::from_settings(&export.choices);
        let network = match network_of_export(shell, &choice) {
            Ok(network) => network,
            Err(Missing::Loading) => return,
            Err(Missing::Failed) => {
                let style = choice.network(choice.model).map_or_else(String::new, |of| of.label());
                let why = format!(
                    "Its style {style} could not be loaded. Was it renamed or removed? Add it again, or export the video in another style."
                );
                self.exports.queue.end(id, Err(why));
                return self.exports_changed(shell);
            }
        };
        let what = format!("{} was not exported", name_label(&export.output));
        let run = Arc::new(Run {
            export,
            network,
            painter: shell.engine.film_painter(),
            on_gpu: shell.device.is(DeviceChoice::Cuda),
            control: Arc::default(),
            progress: Progress::default(),
        });
        let (sender, ended) = bounded(1);
        let running =
            Running { id, run: run.clone(), ended, watch: Stopwatch::started(shell.now()) };
        let wake_up = shell.tasks.wake_up();
        let work = move || {
            let render = || run.render().map_err(|error| format!("{what}: {error}"));
            // Fails only if the program has ended.
            sender.send(named(&what, render)).ok();
            wake_up();
        };
        match thread::Builder::new().name("export".to_owned()).spawn(work) {
            Ok(_) => {
                self.exports.queue.begin(id);
                self.exports.running = Some(running);
            }
            Err(error) => self.exports.queue.end(id, Err(reason(&error))),
        }
        self.exports_changed(shell);
    }

    /// Notes and reports the end of an export.
    fn end_export(
        &mut self,
        shell: &mut Shell,
        photos: &mut PhotoPage,
        running: Running,
        ended: Result<Rendered, String>,
    ) {
        let Running { id, run, .. } = running;
        let output = run.export.output.clone();
        match ended {
            Ok(Rendered { notes, damage, .. }) => {
                let damage = damage.map(|why| format!("the video is damaged ({why})"));
                let notes = notes.iter().chain(&damage).map(|n| sentence(n)).join(" ");
                self.exports.queue.end(id, Ok(notes));
                shell.messages.report_file(format!("Exported as {}", path_label(&output)), &output);
                photos.note_painting(shell, &output);
            }
            Err(_) if run.control.is_cancelled() => {
                // Unless the window closes, the user has cancelled it, and may have removed it since.
                if !self.exports.queue.stop() && !self.exports.queue.has(id) {
                    discard_parts(shell, output);
                }
            }
            Err(why) => {
                // The list says it, too.
                if !shell.window.dock_open {
                    shell.messages.error(why.clone());
                }
                self.exports.queue.end(id, Err(why));
            }
        }
        self.exports_changed(shell);
    }

    /// Measures how long a frame of the form's video takes, at the priority of exports.
    fn measure_for_form(&mut self, shell: &mut Shell) {
        let form = shell.overlays.export_form().filter(|form| form.measuring.is_none());
        let Some(choice) = form.map(|form| Choice::from_settings(&form.export.choices)) else {
            return;
        };
        let network = network_of_export(shell, &choice);
        let Some(form) = shell.overlays.export_form() else {
            return;
        };
        let network = match network {
            Ok(network) => network,
            Err(Missing::Loading) => return,
            Err(Missing::Failed) => {
                form.frame_seconds = Err("not known, because the style could not be loaded");
                return;
            }
        };
        let control = form.measuring.insert(Arc::default()).clone();
        let same = control.clone();
        let (width, height) = form.size();
        let painter = shell.engine.film_painter();
        let measure = move || {
            let frame = Arc::new(Frame::from_fn(width, height, |x, y| [x as u8, y as u8, 0, 255]));
            painter.paint(&[&frame], &network, choice.paint_settings(), None, &control).or_text()
        };
        shell.tasks.spawn(measure, move |app, painted: Result<Vec<Painting>, String>| {
            let painting = painted.ok().and_then(|mut painted| painted.pop());
            let form = app.shell.overlays.export_form();
            let is_it =
                |form: &&mut Form| form.measuring.as_ref().is_some_and(|m| Arc::ptr_eq(m, &same));
            if let Some(form) = form.filter(is_it) {
                // Without the time in which its session was opened.
                form.frame_seconds = painting
                    .map(|painting| painting.run.total_ms / 1e3)
                    .ok_or("not known, because a test frame failed");
            }
        });
    }

    /// Stops the running export, which continues the next time, and writes the queue. Blocks.
    pub fn end_exports(&mut self, shell: &mut Shell, photos: &mut PhotoPage) -> Result<(), String> {
        if let Some(running) = self.exports.running.take() {
            running.run.control.cancel();
            if let Ok(ended) = running.ended.recv_timeout(PATIENCE) {
                self.end_export(shell, photos, running, ended);
            }
        }
        self.exports.queue.stop();
        if self.exports.queue.entries.is_empty() {
            return Ok(());
        }
        self.exports_written().map_or(Ok(()), |write| write())
    }
}

/// The export of a whole video with this choice, which has no file yet.
fn export_of(source: PathBuf, choice: &Choice) -> Export {
    let mut choices = Choices::default();
    choice.remember(&mut choices);
    Export {
        source,
        output: PathBuf::new(),
        replaces: false,
        codec: Codec::H264,
        quality: USUAL_QUALITY,
        range: Range::default(),
        deinterlaces: true,
        framing: choice.framing,
        choices,
    }
}

fn ask_export_file(shell: &mut Shell) {
    let Some(form) = shell.overlays.export_form() else {
        return;
    };
    let file_name = editable(form.export.output.file_name().unwrap_or_default().as_ref());
    shell.ask(Dialog::Film { file_name }, |app, path| {
        if let Some(form) = app.shell.overlays.export_form() {
            form.set_output(path);
            // The dialog asks before it returns an existing file.
            form.export.replaces = true;
        }
    });
}

fn discard_parts(shell: &Shell, output: PathBuf) {
    let discard = move || {
        discard(&output);
        Ok(())
    };
    shell.tasks.spawn_writing(discard, App::report_failure);
}

fn network_of_export(shell: &mut Shell, choice: &Choice) -> Result<Arc<Network>, Missing> {
    shell.network(&choice.network(choice.model).ok_or(Missing::Failed)?)
}
