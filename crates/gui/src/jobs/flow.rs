//! Opens the forms, performs commands, runs the queue, and remembers it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam_channel::bounded;

use super::{
    FolderForm, Form, Jobs, Queue, Running,
    command::JobCommand,
    counted,
    form::{MEASURE_AFTER, Measuring},
    photos::painting_name,
    run::{Progress, Run},
    time_left::Stopwatch,
    work::{Export, NO_STYLE, Photos, Sheet, Work},
};
use crate::{
    app::{App, Shell},
    choice::{Choice, NetworkOf},
    intent::{Intent, ShellCommand},
    pages::photo::{PhotoPage, opened::Origin},
    shell::{
        messages::Offer,
        overlays::Overlay,
        platform::Dialog,
        settings_file::KeptFile,
        tasks::{caught, named},
    },
    styles::{
        Missing,
        mix::{self, Mix, Parts, UnkeptMix},
    },
    widgets::label::{editable, name_label, path_label},
};
use backend::RunControl;
use engine::film::{USUAL_QUALITY, discard};
use media::{
    film::{Codec, Container, OpenFilm, Range},
    framing::Framing,
};
use settings::Choices;
use values::{
    disk::{self, Existing, WriteError, reason},
    frame::Frame,
    lock::lock,
    mode::DeviceChoice,
};

/// The button that resumes the queue.
const RESUME: Offer = ("Resume queue", Intent::Job(JobCommand::Pause(false)));
/// The button that shows the list.
const SHOW: Offer = ("Show queue", Intent::Shell(ShellCommand::ShowDock(true)));
/// Name of the file of the queue.
const FILE: &str = "exports.toml";
/// Time between frames of the window while a job runs.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// Minimum time after which the time left is estimated, in seconds.
const MIN_SECONDS: f64 = 1.0;
/// Time after which progress is written, in seconds.
const WRITE_EVERY: f64 = 10.0;
/// How long the end of the program waits for a job to stop its processes.
const PATIENCE: Duration = Duration::from_secs(20);

fn write(text: &String, path: &Path) -> Result<(), WriteError> {
    disk::make_folder(disk::folder_of(path))?;
    disk::write_bytes(path, text.as_bytes(), Existing::Replace)
}

impl Jobs {
    /// Reads the queue, which is kept next to the settings.
    pub fn load(&mut self, shell: &mut Shell) {
        let Some(settings) = &shell.settings_file.path else {
            return;
        };
        let path = settings.with_file_name(FILE);
        self.file = KeptFile::new(Some(path.clone()));
        let table = settings::read_table(&path);
        match table.and_then(|table| table.map(Queue::from_table).transpose()) {
            Ok(queue) => {
                self.queue = queue.unwrap_or_default();
                let unfinished = counted(self.queue.unfinished(), "job");
                if self.queue.was_killed {
                    let text = format!("{unfinished} stopped: StyleForge closed unexpectedly.");
                    shell.messages.error_with(text, RESUME);
                } else if self.queue.holds() {
                    shell.messages.offer(format!("{unfinished} paused."), RESUME);
                }
            }
            Err(why) => {
                let kept = disk::free_path(path.with_extension("damaged"));
                // If it cannot be renamed, the next list replaces it.
                disk::rename(&path, &kept).ok();
                shell.messages.error(format!(
                    "The queue cannot be read: {why}. It is kept as {}.",
                    path_label(&kept)
                ));
            }
        }
    }

    /// Adds jobs, of which `what` is the text, and says whether they wait for the user.
    fn add(&mut self, shell: &mut Shell, works: Vec<(Work, u64)>, what: &str) {
        works.into_iter().for_each(|(work, all)| self.queue.add(work, all));
        if self.queue.holds() {
            shell.messages.offer(format!("{what} added to the queue, which is paused."), RESUME);
        } else {
            shell.messages.offer(format!("{what} added to the queue."), SHOW);
        }
        self.changed(shell);
    }

    /// Work that writes the queue.
    fn written(&mut self) -> Option<impl FnOnce() -> Result<(), String> + Send + use<>> {
        // A path that is not Unicode cannot be written; the list on the disk then stays as it is.
        self.file.write(&toml::to_string(&self.queue).ok()?, write)
    }

    fn changed(&mut self, shell: &mut Shell) {
        self.written_at = shell.now();
        if let Some(write) = self.written() {
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
        let taken = self.outputs();
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

    /// Shows the form for a folder, which starts with what is chosen for photos.
    pub fn ask_about_folder(shell: &mut Shell, mut form: FolderForm) {
        let choice = shell.workspace.photo_choice();
        form.choices = shell.settings.choices.clone();
        choice.remember(&mut form.choices);
        let parts = choice.parts();
        let title = |style| shell.styles.title_of(style);
        form.mix = (!parts.is_empty()).then(|| format!("Mix: {}", mix::text(&parts, title)));
        let chosen = form.mix.as_ref().map(|_| UnkeptMix::ID).or(choice.style());
        form.styles = chosen.into_iter().map(str::to_owned).collect();
        shell.overlays.show(Overlay::FolderForm(Box::new(form)));
    }

    /// The files that jobs will write.
    fn outputs(&self) -> Vec<PathBuf> {
        let entries = self.queue.entries.iter().filter(|entry| !entry.is_done());
        entries.map(|entry| entry.work.output().to_owned()).collect()
    }

    /// Adds what the form for a folder describes: its photos as one job, and an export for each video and style. Unless
    /// it replaces files, videos that were exported there before are left out.
    fn paint_folder(&mut self, shell: &mut Shell) {
        let Some(form) = shell.overlays.folder_form().map(std::mem::take) else {
            return;
        };
        shell.close_overlay();
        let FolderForm { photos, films, styles, target, replaces, choices, .. } = form;
        let choice = Choice::from_settings(&choices);
        // In the order of the gallery.
        let has = |id: &str| styles.iter().any(|of| of == id);
        let cards = shell.styles.gallery.cards.iter().filter(|card| has(&card.id));
        let networks: Vec<_> = (choice.style().filter(|_| has(UnkeptMix::ID)))
            .map(|id| batch_style(shell, id, &choice.parts()))
            .into_iter()
            .chain(cards.map(|card| batch_style(shell, &card.id, &Parts::new())))
            .collect();
        shell.styles.retry_networks(|of| networks.contains(of));
        let (mut works, mut what) = (Vec::new(), Vec::new());
        if !photos.is_empty() {
            what.push(counted(photos.len(), "photo"));
            let choices = choices.clone();
            let photos = Photos::new(photos, networks.clone(), target.clone(), choices);
            let all = photos.items.len() as u64;
            works.push((Work::Photos(Photos { replaces, ..photos }), all));
        }
        let (mut taken, mut added) = (self.outputs(), 0);
        for network in &networks {
            let mut choice = Choice { framing: Framing::default(), ..choice.clone() };
            if let NetworkOf::Style(id, model) = network {
                (choice.mix, choice.model) = (Mix::of(Some(id.clone())), *model);
            }
            for source in &films {
                // The source's own container holds its sound.
                let container = Container::from_path(source).unwrap_or(Container::Mp4);
                let name = painting_name(source, &network.label(), container.extension());
                let output = disk::numbered_path(target.join(name), |path| !taken.contains(path));
                taken.push(output.clone());
                if output.exists() && !replaces {
                    continue;
                }
                let codec = container.usual_codec();
                let export =
                    Export { output, replaces, codec, ..export_of(source.clone(), &choice) };
                works.push((Work::Export(export), 0));
                added += 1;
            }
        }
        let all = films.len() * networks.len();
        if added < all {
            shell.messages.notice(format!(
                "{} of {all} videos exist already. “Overwrite existing files” exports them again.",
                all - added
            ));
        }
        if added > 0 {
            what.push(counted(added, "video"));
        }
        if !works.is_empty() {
            self.add(shell, works, &what.join(" and "));
        }
    }

    /// Adds the contact sheet that is to be saved at `path`, or under a similar name if that is taken.
    fn add_sheet(&mut self, shell: &mut Shell, path: PathBuf) {
        let Some(photo) = shell.workspace.photo() else {
            return shell.messages.notice("Open a photo first.");
        };
        // The photo on the table may change in the meantime.
        let sheet = Sheet { framing: photo.framing, photo: Some(photo.framed.frame.clone()) };
        let source = match &photo.opened.origin {
            Origin::File(path) => path.clone(),
            _ => photo.opened.title().into(),
        };
        let taken = self.outputs();
        let (path, _) = shell.with_format(path);
        let path = disk::numbered_path(path, |path| !path.exists() && !taken.contains(path));
        let cards = shell.styles.gallery.cards.iter();
        let styles: Vec<_> =
            cards.map(|card| batch_style(shell, &card.id, &Parts::new())).collect();
        shell.styles.retry_networks(|of| styles.contains(of));
        let mut choices = shell.settings.choices.clone();
        shell.workspace.photo_choice().remember(&mut choices);
        let photos = Photos::new(vec![source], styles, path, choices);
        let all = photos.items.len() as u64;
        let photos = Photos { sheet: Some(sheet), ..photos };
        self.add(shell, vec![(Work::Photos(photos), all)], "Contact sheet");
    }

    /// Has jobs follow a style that has a new id.
    pub fn rename_style(&mut self, shell: &mut Shell, old: &str, new: &str) {
        if !self.queue.entries.is_empty() {
            self.queue.rename_style(old, new);
            self.changed(shell);
        }
    }

    pub fn perform(&mut self, shell: &mut Shell, command: JobCommand) {
        use JobCommand::*;

        match command {
            AskContactSheet => return ask_contact_sheet(shell),
            AskTargetFolder => {
                return shell.ask(Dialog::TargetFolder, |app, path| {
                    if let Some(form) = app.shell.overlays.folder_form() {
                        form.target = path;
                    }
                });
            }
            PaintFolder => return self.paint_folder(shell),
            // The page of the video shows the form.
            ExportFilm => return,
            AskFile => return ask_export_file(shell),
            Export => {
                if let Some(form) = shell.overlays.export_form() {
                    let works =
                        vec![(Work::Export(form.export.clone()), form.frames().unwrap_or(0))];
                    shell.close_overlay();
                    return self.add(shell, works, "Video");
                }
            }
            Pause(pause) => self.pause(shell, pause),
            Cancel(id) => {
                if let Some(running) = self.running.as_ref().filter(|running| running.id == id) {
                    running.run.control.cancel();
                }
                self.queue.cancel(id);
            }
            Remove(id) => {
                // One that was just cancelled may not have ended; its parts are removed when it has.
                let has_ended = self.running.as_ref().is_none_or(|running| running.id != id);
                if let Some(entry) = self.queue.remove(id).filter(|e| e.has_parts && has_ended) {
                    discard_parts(shell, &entry.work);
                }
            }
            Retry(id) => {
                shell.styles.retry_networks(|_| true);
                self.queue.retry(id);
            }
            ReplaceSkipped(id) => self.queue.replace_skipped(id),
            Move(id, before) => self.queue.move_before(id, before),
            ClearDone => self.queue.clear_done(),
        }
        self.changed(shell);
    }

    fn pause(&mut self, shell: &mut Shell, pause: bool) {
        let now = shell.now();
        self.queue.is_paused = pause;
        shell.messages.withdraw(|offered| *offered == RESUME.1);
        if let Some(running) = &mut self.running {
            running.run.progress.is_paused.store(pause, Ordering::Relaxed);
            running.watch.pause(pause, now);
        }
    }

    /// Notes progress, begins the next job when the last one has ended, and measures for the form; `moves` if pictures
    /// move on the stage.
    pub fn serve(&mut self, shell: &mut Shell, photos: &mut PhotoPage, moves: bool) {
        if let Some(running) = self.running.take() {
            let ended = running.ended.try_recv().ok();
            self.note_progress(shell, photos, &running);
            self.waits = moves && !running.run.on_gpu;
            match ended {
                Some(ended) => self.end_job(shell, photos, running, ended),
                None => self.running = Some(running),
            }
        }
        self.waits &= self.running.is_some();
        if shell.device.info.is_some() && !shell.ending.is_closing {
            self.begin(shell);
            self.measure_for_form(shell);
        }
        if shell.window.dock_open {
            let posters = self.queue.entries.iter().filter_map(|entry| entry.poster());
            let posters: Vec<_> = posters.map(Path::to_owned).collect();
            photos.make_small_picture(shell, &posters);
        }
        if self.running.is_some() {
            if shell.now() > self.written_at + WRITE_EVERY {
                self.changed(shell);
            }
            shell.ctx.request_repaint_after(PROGRESS_EVERY);
        }
    }

    /// The export that runs, a frame that it has just painted, and how many it had painted about then.
    pub fn take_frame(&self) -> Option<(&Export, Frame, u64)> {
        let run = &self.running.as_ref()?.run;
        let Work::Export(export) = &run.entry.work else { return None };
        let frame = lock(&run.progress.frame).take()?;
        Some((export, frame, run.progress.frames.load(Ordering::Relaxed)))
    }

    /// True while a job runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Notes what the running job has done since the last call.
    fn note_progress(&mut self, shell: &mut Shell, page: &mut PhotoPage, running: &Running) {
        let (progress, id) = (&running.run.progress, running.id);
        let outcomes = std::mem::take(&mut *lock(&progress.outcomes));
        let Some(entry) = self.queue.get_mut(id) else {
            return;
        };
        let seconds = running.watch.seconds(shell.now());
        let painted = progress.painted.load(Ordering::Relaxed) as f64 + f64::from(entry.part);
        entry.unit_seconds = (painted >= 1.0 && seconds > MIN_SECONDS).then(|| seconds / painted);
        if let Work::Photos(photos) = &mut entry.work {
            entry.part = running.run.control.progress();
            entry.progress[0] += outcomes.len() as u64;
            let is_folder = photos.sheet.is_none();
            let has_outcomes = !outcomes.is_empty();
            for (item, outcome) in outcomes {
                let (path, style) = photos.of_item(item);
                let names = (name_label(path), &*running.run.titles[style]);
                // One entry stands for the folder.
                if let Some(folder) = outcome.as_ref().ok().and_then(|(saved, _)| saved.parent())
                    && is_folder
                {
                    page.paintings.painted.insert(path.to_owned());
                    page.note_painting(shell, folder);
                }
                photos.note(item, names, outcome);
            }
            // After a crash, paintings that are not noted would be those of other photos of the same name.
            if has_outcomes && is_folder {
                self.changed(shell);
            }
        } else {
            entry.progress = [&progress.frames, &progress.total].map(|n| n.load(Ordering::Relaxed));
        }
    }

    fn begin(&mut self, shell: &mut Shell) {
        let Some(entry) = self.queue.next().filter(|_| self.running.is_none()) else {
            return;
        };
        let id = entry.id;
        let styles = match &entry.work {
            Work::Photos(photos) => photos.styles.clone(),
            Work::Export(export) => {
                let choice = Choice::from_settings(&export.choices);
                choice.network(choice.model).into_iter().collect()
            }
        };
        // All of them are requested at once.
        let found: Vec<_> = styles.iter().map(|style| shell.network(style)).collect();
        if found.iter().any(|network| matches!(network, Err(Missing::Loading))) {
            return;
        }
        let networks: Vec<_> = found.into_iter().map(Result::ok).collect();
        let titles: Vec<_> = styles.iter().map(|style| shell.styles.name_of(style)).collect();
        if networks.iter().all(Option::is_none) {
            let why = format!("{}: {NO_STYLE}", titles.join(", "));
            self.queue.end(id, Err(why));
            return self.changed(shell);
        }
        self.queue.begin(id);
        let Some(entry) = self.queue.get_mut(id) else {
            return;
        };
        let what = format!("{} was not painted", name_label(entry.work.output()));
        let [frames, total] = entry.progress.map(AtomicU64::new);
        let run = Arc::new(Run {
            entry: entry.clone(),
            networks,
            titles,
            painter: shell.engine.film_painter(),
            on_gpu: shell.device.is(DeviceChoice::Cuda),
            device: shell.device.name(),
            control: Arc::default(),
            progress: Progress { frames, total, ..Progress::default() },
            wake_up: shell.tasks.wake_up(),
        });
        let (sender, ended) = bounded(1);
        let running =
            Running { id, run: run.clone(), ended, watch: Stopwatch::started(shell.now()) };
        let work = move || {
            let ended = named(&what, || run.run().map_err(|error| format!("{what}: {error}")));
            // Fails only if the program has ended.
            sender.send(ended).ok();
            (run.wake_up)();
        };
        match thread::Builder::new().name("job".to_owned()).spawn(work) {
            Ok(_) => self.running = Some(running),
            Err(error) => self.queue.end(id, Err(reason(&error))),
        }
        self.changed(shell);
    }

    /// Notes and reports the end of a job.
    fn end_job(
        &mut self,
        shell: &mut Shell,
        photos: &mut PhotoPage,
        running: Running,
        ended: Result<String, String>,
    ) {
        let Running { id, run, .. } = running;
        if run.control.is_cancelled() {
            // Unless the window closes, the user has cancelled it, and may have removed it since.
            if !self.queue.stop() && !self.queue.has(id) {
                discard_parts(shell, &run.entry.work);
            }
            return self.changed(shell);
        }
        let output = run.entry.work.output();
        let work = &run.entry.work;
        let ended = ended.and_then(|notes| {
            let entry = self.queue.entries.iter().find(|entry| entry.id == id);
            let Some(photos) = entry.and_then(|entry| entry.work.photos()) else {
                shell.messages.report_file(format!("Exported as {}", path_label(output)), output);
                return Ok(notes);
            };
            let (saved, failures) = (photos.results.saved.len(), &photos.results.failures);
            let mut done = format!("{} painted", counted(saved, photos.unit()));
            if let Some((name, why)) = failures.first() {
                if saved == 0 {
                    return Err(format!("Nothing was painted. {name}: {why}"));
                }
                done += &format!(", {} not painted", counted(failures.len(), photos.unit()));
                shell.messages.error_with(done.clone(), SHOW);
            } else if saved > 0 {
                shell.messages.report_file(format!("{done} into {}", path_label(output)), output);
            } else {
                "All paintings already exist".clone_into(&mut done);
                shell.messages.offer(done.clone(), SHOW);
            }
            Ok(done + ".")
        });
        if ended.is_ok() && work.photos().is_none_or(|photos| photos.sheet.is_some()) {
            photos.note_painting(shell, output);
        }
        // The list says it, too.
        if let Err(why) = &ended
            && !shell.window.dock_open
        {
            shell.messages.error(why.clone());
        }
        self.queue.end(id, ended);
        self.changed(shell);
    }

    /// Measures what the form's export takes, unless a job runs.
    fn measure_for_form(&self, shell: &mut Shell) {
        let (now, works) = (shell.now(), self.running.is_some());
        let Some(form) = shell.overlays.export_form() else { return };
        if !form.follow(now, works) {
            if form.measuring.is_none() && !works {
                shell.ctx.request_repaint_after_secs(MEASURE_AFTER as f32);
            }
            return;
        }
        let export = form.export.clone();
        let choice = Choice::from_settings(&export.choices);
        let network = choice.network(choice.model).ok_or(Missing::Failed);
        let network = network.and_then(|of| shell.network(&of));
        if matches!(network, Err(Missing::Loading)) {
            return;
        }
        let (sender, found) = bounded(1);
        let control = Arc::<RunControl>::default();
        let measuring = Measuring { control: control.clone(), found };
        let on_gpu = shell.device.is(DeviceChoice::Cuda);
        let (painter, wake_up) = (shell.engine.film_painter(), shell.tasks.wake_up());
        let measure = move || {
            let network = network.map_err(|_| "not known, because the style could not be loaded");
            let estimate = network.and_then(|network| {
                let found = caught(|| export.estimate(&network, on_gpu, &painter, &control));
                let found = found.ok().and_then(Result::ok).flatten();
                found.ok_or("not known, because the first frames could not be painted")
            });
            // Fails only if the form has changed.
            sender.send(estimate).ok();
            wake_up();
        };
        let started = thread::Builder::new().name("estimate".to_owned()).spawn(measure);
        if let Some(form) = shell.overlays.export_form().filter(|_| started.is_ok()) {
            form.measuring = Some(measuring);
        }
    }

    /// Stops the running job, which continues the next time, and writes the queue. Blocks.
    pub fn end(&mut self, shell: &mut Shell, photos: &mut PhotoPage) -> Result<(), String> {
        if let Some(running) = self.running.take() {
            running.run.control.cancel();
            if let Ok(ended) = running.ended.recv_timeout(PATIENCE) {
                self.note_progress(shell, photos, &running);
                self.end_job(shell, photos, running, ended);
            }
        }
        self.queue.stop();
        if self.queue.entries.is_empty() {
            return Ok(());
        }
        self.written().map_or(Ok(()), |write| write())
    }
}

/// The network of a style, or of the mix of it, in the model size that is chosen for photos.
fn batch_style(shell: &Shell, id: &str, parts: &Parts) -> NetworkOf {
    let chosen = shell.workspace.photo_choice().model;
    let model = shell.styles.gallery.known(id).map_or(chosen, |card| card.model(chosen));
    NetworkOf::new(id, parts, model)
}

/// Asks where to save the contact sheet.
fn ask_contact_sheet(shell: &mut Shell) {
    let format = shell.format();
    let file_name = format!("{}-styles.{}", shell.workspace.photo_stem(), format.extension());
    shell.ask(Dialog::Save { file_name, format }, |app, path| {
        app.jobs.add_sheet(&mut app.shell, path)
    });
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

/// Deletes the parts of a video. Paintings of photos stay.
fn discard_parts(shell: &Shell, work: &Work) {
    let Work::Export(export) = work else {
        return;
    };
    let output = export.output.clone();
    let discard = move || {
        discard(&output);
        Ok(())
    };
    shell.tasks.spawn_writing(discard, App::report_failure);
}
