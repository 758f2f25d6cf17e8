//! Performs the steps of the film page, and handles the player's events.

use std::sync::{Arc, Mutex};

use super::{
    FilmFrame, FilmPage, FilmView, Painting, Step,
    bar::NO_OUTPUT,
    steadiness::{Comparison, MAX_FRAMES, PERCENTS, SECONDS, SIDE_PX},
    timeline::THUMBNAIL_PX,
    transport::{Motion, SAME, Transport},
};
use crate::{
    app::{App, Shell},
    choice::Choice,
    intent::ViewCommand,
    jobs::Jobs,
    pages::photo::{
        PhotoPage,
        opened::{self, Opened, Whole, smaller},
    },
    shell::tasks::OrText,
    widgets::{
        label::{remark, sentence},
        texture::opaque_image_of,
    },
    workspace::Page,
};
use engine::{
    capture::Captured,
    film,
    live::{LivePicture, LiveSettings, LiveSource, rate_control::first_source_px},
};
use media::{
    film::{OpenFilm, Order, Play, PlayerEvent, Range},
    framing::Framing,
};
use values::{disk::words, frame::Frame, lock::lock, mailbox::mailbox, mode::DeviceChoice};

impl PhotoPage {
    pub fn shows_film(&self, shell: &Shell) -> bool {
        shell.workspace.page() == Page::Video
            && shell.workspace.seen_photo().is_some()
            && self.paintings.viewed.is_none()
    }
}

impl FilmPage {
    /// Closes the comparison, or paints one from the frame that is shown.
    pub fn toggle_comparison(&mut self, shell: &mut Shell) {
        let Some(view) = &mut self.view else { return };
        if view.comparison.take().is_some() {
            return;
        }
        let choice = &shell.workspace.choice;
        let (framing, stylization) = (choice.framing, choice.stylization());
        let network = choice.network(choice.model).map(|network| shell.network(&network));
        let Some(Ok(network)) = network else {
            return shell.messages.notice("Choose a style first, and wait until it is loaded.");
        };
        let from = view.transport.position - SAME;
        let (comparison, sender) = Comparison::new(from, stylization.steadiness);
        view.comparison = Some(comparison);
        let compared = film::Comparison {
            film: view.film.clone(),
            range: Range { start: Some(from), end: Some(from + SECONDS) },
            long_side_px: SIDE_PX,
            max_frames: MAX_FRAMES,
            framing,
            network,
            stylization,
        };
        let (painter, wake_up) = (shell.engine.film_painter(), shell.tasks.wake_up());
        let paint = move || {
            let take = |seconds, frames| {
                wake_up();
                // Fails only if the comparison is closed.
                sender.send((seconds, frames)).is_ok()
            };
            compared.paint(PERCENTS, &painter, take).or_text()
        };
        shell.run(paint, |_, ()| {});
    }

    pub fn plays_film(&self) -> bool {
        self.view.as_ref().is_some_and(|film| film.painting.is_some())
    }

    /// Performs a step.
    pub fn step_film(&mut self, shell: &mut Shell, photos: &mut PhotoPage, step: Step) {
        match step {
            Step::Compare => {
                self.step_film(shell, photos, Step::Pause);
                self.toggle_comparison(shell);
            }
            Step::Steady(steadiness) => {
                let choice = Choice { steadiness, ..shell.workspace.choice.clone() };
                shell.intents.push(ViewCommand::Edit(choice).into());
            }
            _ => self.act_film(shell, photos, |film, now| film.act(step, now)),
        }
    }

    /// Changes the state of the page, and lets the player do what follows from that.
    fn act_film(
        &mut self,
        shell: &mut Shell,
        photos: &mut PhotoPage,
        act: impl FnOnce(&mut Transport, f64) -> Option<Motion>,
    ) {
        let now = shell.now();
        let motion = self.view.as_mut().and_then(|film| act(&mut film.transport, now));
        let order = match motion {
            Some(Motion::Hold { at, by }) => {
                self.stop_film_painting(shell, photos);
                Some(Order::Hold { at, by })
            }
            Some(Motion::Play { from, speed }) => {
                self.play_order(shell, photos, from, speed).map(Order::Play)
            }
            None => None,
        };
        if let Some((film, order)) = self.view.as_mut().zip(order) {
            film.player.send(order);
        }
    }

    /// Stops painting the film. Its last picture stays on the stage.
    fn stop_film_painting(&mut self, shell: &mut Shell, photos: &mut PhotoPage) {
        photos.painting.plays = false;
        if self.view.as_mut().is_some_and(|film| film.painting.take().is_some()) {
            shell.engine.stop_live();
        }
    }

    /// Lets the engine paint what the player shows.
    fn play_order(
        &mut self,
        shell: &mut Shell,
        photos: &mut PhotoPage,
        from: f64,
        speed: f64,
    ) -> Option<Play> {
        let framing = shell.workspace.choice.framing;
        let settings = self.film_settings(shell);
        let kind = shell.device.info.as_ref().map_or(DeviceChoice::Auto, |device| device.kind);
        let long_side_px = first_source_px(settings.stylization.size, settings.upscale, kind);
        if !self.plays_film() {
            photos.drop_request(shell);
            // The held frame is no longer the one that would be saved.
            shell.workspace.show_only_photo();
            let (writer, frames) = mailbox(|| Captured::of(Frame::from_fn(1, 1, |_, _| [0; 4])));
            let pictures =
                match shell.engine.start_live(LiveSource::Frames(frames), settings.clone()) {
                    Ok(pictures) => pictures,
                    Err(error) => {
                        self.fail_film(
                            shell,
                            photos,
                            format!("The video cannot be played: {}", words(&error)),
                        );
                        return None;
                    }
                };
            photos.painting.plays = true;
            self.view.as_mut()?.painting = Some(Painting {
                output: Arc::new(Mutex::new(writer)),
                pictures,
                sent: (settings, framing),
                settings: 0,
                order: 0,
            });
        }
        let view = self.view.as_mut()?;
        let painting = view.painting.as_mut()?;
        painting.sent.1 = framing;
        painting.order += 1;
        let (output, order) = (painting.output.clone(), painting.order);
        let film = view.film.clone();
        let has_sound = film.has_sound() && !view.transport.is_mute;
        let show = move |seconds: f64, frame: Frame| {
            let frame = film.framed(framing, frame);
            let mut writer = lock(&output);
            writer.value = Captured::of(frame);
            writer.value.sequence = order;
            writer.value.film_seconds = seconds;
            writer.put();
        };
        Some(Play {
            from,
            speed,
            range: view.transport.range,
            loops: view.transport.loops,
            has_sound,
            long_side_px,
            show: Box::new(show),
        })
    }

    /// Takes the player's events and the newest painted picture, and sends changed settings. Reads few thumbnails
    /// while jobs `run`.
    pub fn film_logic(&mut self, shell: &mut Shell, photos: &mut PhotoPage, run: bool) {
        if shell.workspace.is_live() {
            return;
        }
        if photos.paintings.viewed.is_some() || photos.cropping.is_some() {
            self.step_film(shell, photos, Step::Pause);
        }
        while let Some(event) = self.view.as_ref().and_then(|film| film.player.poll()) {
            self.handle_film_event(shell, photos, event);
        }
        if self.plays_film() {
            self.sync_film(shell, photos);
            self.take_film_picture(shell, photos);
        }
        self.serve_timeline(shell, run || photos.painting.request.is_some());
    }

    /// Keeps the thumbnails and the comparison up to date; reads only a few while something else `works`.
    fn serve_timeline(&mut self, shell: &mut Shell, works: bool) {
        let Some(view) = &mut self.view else { return };
        let choice = &shell.workspace.choice;
        let length = view.transport.length;
        if view.thumbnails.follow(choice, length) {
            view.comparison = None;
        }
        if let Some(comparison) = &mut view.comparison {
            comparison.percent = choice.steadiness;
            comparison.follow(&shell.ctx);
        }
        let is_free = view.painting.is_none() && view.comparison.is_none();
        let photo = shell.workspace.photo();
        let held = photo.and_then(|photo| photo.opened.film.as_ref()).filter(|_| is_free && !works);
        if let Some(FilmFrame { film, seconds }) = held
            && let Some(finished) = shell.workspace.finished()
            && Some(&finished.key.0) == shell.workspace.recipe(shell.model()).as_ref()
            && view.thumbnails.begin_painted(seconds / length)
        {
            let (same, share, choice) = (film.clone(), seconds / length, choice.clone());
            let shrink = move || Ok((*smaller(&Arc::new(finished.frame()), THUMBNAIL_PX)).clone());
            shell.tasks.spawn(shrink, move |app, small| {
                let view = app.film.view.as_mut().filter(|view| Arc::ptr_eq(&view.film, &same));
                if let Some(view) = view {
                    view.thumbnails.end_painted(&app.shell.ctx, &choice, share, small.ok());
                }
            });
        }
        let Some(share) = is_free.then(|| view.thumbnails.next(&shell.ctx, works)).flatten() else {
            return;
        };
        let (film, framing) = (view.film.clone(), choice.framing);
        let same = film.clone();
        let read = move || {
            let (seconds, frame) = film.thumbnail(share * length, THUMBNAIL_PX).or_text()?;
            Ok((seconds / length, film.framed(framing, frame)))
        };
        shell.tasks.spawn(read, move |app, read| {
            let view = app.film.view.as_mut().filter(|view| Arc::ptr_eq(&view.film, &same));
            if let Some(view) = view {
                view.thumbnails.put(&app.shell.ctx, framing, read);
            }
        });
    }

    /// Shows a frame on the timeline that an export of the film has painted as it is painted here.
    pub fn show_exported(&mut self, shell: &Shell, jobs: &Jobs) {
        let exported = jobs.take_frame();
        let (Some(view), Some((export, frame, done))) = (&mut self.view, exported) else { return };
        let choice = Choice { framing: export.framing, ..Choice::from_settings(&export.choices) };
        if view.film.path == export.source && view.thumbnails.are_of(&choice) {
            let begins = export.range.start.unwrap_or(0.0);
            let seconds = begins + done as f64 * view.film.frame_seconds();
            view.thumbnails.put_painted(&shell.ctx, seconds / view.transport.length, &frame);
        }
    }

    fn handle_film_event(&mut self, shell: &mut Shell, photos: &mut PhotoPage, event: PlayerEvent) {
        let Some(film) = &mut self.view else {
            return;
        };
        match event {
            PlayerEvent::Held { seconds, frame } => {
                film.transport.show(seconds);
                self.prepare_frame(shell, frame, seconds);
                self.act_film(shell, photos, Transport::deliver);
            }
            PlayerEvent::Ended => self.step_film(shell, photos, Step::Pause),
            PlayerEvent::Silent => {
                film.is_silent = true;
                // It may not have been played yet.
                if film.painting.is_some() && !std::mem::replace(&mut self.said_silent, true) {
                    shell.messages.notice(NO_OUTPUT);
                }
            }
            PlayerEvent::Failed(error) => {
                self.fail_film(shell, photos, sentence(&remark(&error.to_string())))
            }
        }
    }

    fn fail_film(&mut self, shell: &mut Shell, photos: &mut PhotoPage, why: String) {
        shell.messages.error(why);
        self.stop_film_painting(shell, photos);
        if let Some(film) = &mut self.view {
            film.transport.fail();
        }
    }

    /// Makes a photo of a held frame in the background, and puts it on the table.
    fn prepare_frame(&mut self, shell: &mut Shell, frame: Frame, seconds: f64) {
        let Some(view) = &mut self.view else {
            return;
        };
        view.held += 1;
        let (number, film) = (view.held, view.film.clone());
        let framing = shell.workspace.choice.framing;
        let make = move || {
            let opened = Opened::of_film(FilmFrame { film, seconds }, frame);
            let framed = opened::framed(opened.whole(), framing)?;
            Ok((opened, framed))
        };
        shell.run(make, move |app, (opened, framed)| {
            app.film.put_frame(&mut app.shell, &mut app.photo, number, opened, framing, framed);
        });
    }

    /// Replaces the frame on the table by another one of the film, unless it is an older one; the view stays.
    fn put_frame(
        &mut self,
        shell: &mut Shell,
        photos: &mut PhotoPage,
        number: u64,
        opened: Opened,
        framing: Framing,
        shown: Whole,
    ) {
        let is_newest = self.view.as_ref().is_some_and(|film| {
            let of_film = opened.film.as_ref().is_some_and(|of| Arc::ptr_eq(&of.film, &film.film));
            of_film && film.held == number && film.painting.is_none()
        });
        if !is_newest || shell.workspace.is_live() {
            return;
        }
        photos.drop_request(shell);
        photos.painting.framing = None;
        let choice = shell.workspace.choice.framing;
        photos.stage.set_frame(&shell.ctx, &shown.preview, shown.frame.clone());
        shell.workspace.put_photo(Opened { framing: choice, ..opened });
        shell.workspace.set_framed(framing, shown);
        if shell.workspace.choice.style().is_none() {
            photos.stage.painting.clear();
        }
        photos.follow_choice(shell);
    }

    fn film_settings(&mut self, shell: &mut Shell) -> LiveSettings {
        let before = self.view.as_ref().and_then(FilmView::settings).cloned();
        shell.moving_settings(before, false)
    }

    /// Sends the engine or the player what has changed on the page.
    fn sync_film(&mut self, shell: &mut Shell, photos: &mut PhotoPage) {
        let settings = self.film_settings(shell);
        let framing = shell.workspace.choice.framing;
        let Some(FilmView { painting: Some(painting), thumbnails, .. }) = &mut self.view else {
            return;
        };
        if painting.sent.0 != settings {
            thumbnails.forget_painted();
            painting.settings = shell.engine.set_live(settings.clone());
            painting.sent.0 = settings;
        }
        if painting.sent.1 != framing {
            self.act_film(shell, photos, Transport::again);
        }
    }

    /// Puts the newest painted picture on the stage.
    fn take_film_picture(&mut self, shell: &mut Shell, photos: &mut PhotoPage) {
        let Some(FilmView { painting: Some(painting), transport, thumbnails, .. }) = &mut self.view
        else {
            return;
        };
        let is_new = painting.pictures.take();
        let LivePicture { original, painted, facts, .. } = &painting.pictures.value;
        let (Some(facts), Some(photo), true) = (facts, shell.workspace.photo(), is_new) else {
            return;
        };
        // Zoom is relative to the pixels of the film.
        let framing = painting.sent.1;
        let size = framing.size(photo.opened.photo.frame.size());
        if facts.mode.is_some() {
            // Not one in another style.
            if facts.settings >= painting.settings {
                let share = facts.film_seconds / transport.length;
                thumbnails.put_painted(&shell.ctx, share, painted);
            }
            photos.stage.set_live(&shell.ctx, [original, painted].map(opaque_image_of), size);
        } else {
            photos.stage.set_live_alone(&shell.ctx, opaque_image_of(original), size, "Original");
        }
        // One of an older order may be at another place of the film.
        if facts.sequence == painting.order {
            transport.show(facts.film_seconds);
            self.act_film(shell, photos, Transport::deliver);
        }
    }
}

impl App {
    /// Ends the present film, and opens that of the photo on the table, if it is a frame of one.
    pub(crate) fn follow_film(&mut self) {
        self.film.stop_film_painting(&mut self.shell, &mut self.photo);
        self.film.view = None;
        let photo = self.shell.workspace.photo();
        let of_film = photo.and_then(|photo| Some((photo.opened.film.clone()?, photo.number)));
        match of_film
            .map(|(frame, number)| FilmView::new(frame, number, self.shell.tasks.wake_up()))
            .transpose()
        {
            Ok(film) => self.film.view = film,
            Err(error) => {
                self.shell.messages.error(format!("The video cannot be played: {}", words(&error)))
            }
        }
    }

    /// Shows the form for an export of the film, between the in and the out point.
    pub(crate) fn export_film(&mut self) {
        self.film.step_film(&mut self.shell, &mut self.photo, Step::Pause);
        if let Some(FilmView { film, transport, .. }) = &self.film.view {
            self.open_export(film.clone(), transport.range);
        }
    }

    /// Shows the form for an export of a part of a video.
    pub fn open_export(&mut self, film: Arc<OpenFilm>, range: Range) {
        self.jobs.open_export(&mut self.shell, film, range);
    }
}
