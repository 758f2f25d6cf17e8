//! Performs the steps of the film page, and handles the player's events.

use std::sync::{Arc, Mutex};

use super::{
    FilmFrame, FilmView, Painting, Step,
    transport::{Motion, Transport},
};
use crate::{
    app::App,
    pages::photo::opened::{Opened, Whole, framed},
    widgets::{
        label::{remark, sentence},
        texture::opaque_image_of,
    },
};
use engine::{
    capture::Captured,
    live::{LivePicture, LiveSource, rate_control::first_source_px},
};
use media::{
    film::{Order, Play, PlayerEvent},
    framing::Framing,
};
use values::{disk::words, frame::Frame, lock::lock, mailbox::mailbox, mode::DeviceChoice};

impl App {
    pub(crate) fn shows_film(&self) -> bool {
        self.film.is_some() && self.live.is_none() && self.paintings.viewed.is_none()
    }

    pub(crate) fn plays_film(&self) -> bool {
        self.film.as_ref().is_some_and(|film| film.painting.is_some())
    }

    /// Ends the present film, and opens that of the photo on the table, if it is a frame of one.
    pub(crate) fn follow_film(&mut self) {
        self.stop_film_painting();
        self.film = None;
        let photo = self.workspace.photo();
        let of_film = photo.and_then(|photo| Some((photo.opened.film.clone()?, photo.number)));
        match of_film
            .map(|(frame, number)| FilmView::new(frame, number, self.tasks.wake_up()))
            .transpose()
        {
            Ok(film) => self.film = film,
            Err(error) => {
                self.messages.error(format!("The video cannot be played: {}", words(&error)))
            }
        }
    }

    /// Shows the form for an export of the film, between the in and the out point.
    pub(crate) fn export_film(&mut self) {
        self.step_film(Step::Pause);
        if let Some(FilmView { film, transport, .. }) = &self.film {
            self.open_export(film.clone(), transport.range);
        }
    }

    /// Performs a step.
    pub(crate) fn step_film(&mut self, step: Step) {
        self.act_film(|film, now| film.act(step, now));
    }

    /// Changes the state of the page, and lets the player do what follows from that.
    fn act_film(&mut self, act: impl FnOnce(&mut Transport, f64) -> Option<Motion>) {
        let now = self.now();
        let motion = self.film.as_mut().and_then(|film| act(&mut film.transport, now));
        let order = match motion {
            Some(Motion::Hold { at, by }) => {
                self.stop_film_painting();
                Some(Order::Hold { at, by })
            }
            Some(Motion::Play { from, speed }) => self.play_order(from, speed).map(Order::Play),
            None => None,
        };
        if let Some((film, order)) = self.film.as_mut().zip(order) {
            film.player.send(order);
        }
    }

    /// Stops painting the film. Its last picture stays on the stage.
    fn stop_film_painting(&mut self) {
        if self.film.as_mut().is_some_and(|film| film.painting.take().is_some()) {
            self.engine.stop_live();
        }
    }

    /// Lets the engine paint what the player shows.
    fn play_order(&mut self, from: f64, speed: f64) -> Option<Play> {
        let framing = self.workspace.choice.framing;
        let whole = self.workspace.photo()?.opened.photo.frame.size();
        let settings = self.live_settings();
        let kind = self.device.info.as_ref().map_or(DeviceChoice::Auto, |device| device.kind);
        let long_side_px = first_source_px(settings.stylization.size, settings.upscale, kind);
        if !self.plays_film() {
            self.drop_request();
            // The held frame is no longer the one that would be saved.
            self.workspace.show_only_photo();
            let (writer, frames) = mailbox(|| Captured::of(Frame::from_fn(1, 1, |_, _| [0; 4])));
            let pictures =
                match self.engine.start_live(LiveSource::Frames(frames), settings.clone()) {
                    Ok(pictures) => pictures,
                    Err(error) => {
                        self.fail_film(format!("The video cannot be played: {}", words(&error)));
                        return None;
                    }
                };
            self.film.as_mut()?.painting = Some(Painting {
                output: Arc::new(Mutex::new(writer)),
                pictures,
                sent: (settings, framing),
                order: 0,
            });
        }
        let film = self.film.as_mut()?;
        let painting = film.painting.as_mut()?;
        painting.sent.1 = framing;
        painting.order += 1;
        let (output, order) = (painting.output.clone(), painting.order);
        let show = move |seconds: f64, frame: Frame| {
            // A crop that does not fit shows the whole picture.
            let frame = if framing.is_plain() {
                frame
            } else {
                framing.scaled(whole, frame.size()).applied(&frame).unwrap_or(frame)
            };
            let mut writer = lock(&output);
            writer.value = Captured::of(frame);
            writer.value.sequence = order;
            writer.value.film_seconds = seconds;
            writer.put();
        };
        Some(Play {
            from,
            speed,
            range: film.transport.range,
            loops: film.transport.loops,
            has_sound: film.film.has_sound() && !film.transport.is_mute,
            long_side_px,
            show: Box::new(show),
        })
    }

    /// Takes the player's events and the newest painted picture, and sends changed settings.
    pub(crate) fn film_logic(&mut self) {
        if self.live.is_some() {
            return;
        }
        if self.paintings.viewed.is_some() || self.cropping.is_some() {
            self.step_film(Step::Pause);
        }
        while let Some(event) = self.film.as_ref().and_then(|film| film.player.poll()) {
            self.handle_film_event(event);
        }
        if self.plays_film() {
            self.sync_film();
            self.take_film_picture();
        }
    }

    fn handle_film_event(&mut self, event: PlayerEvent) {
        let Some(film) = &mut self.film else {
            return;
        };
        match event {
            PlayerEvent::Held { seconds, frame } => {
                film.transport.show(seconds);
                self.prepare_frame(frame, seconds);
                self.act_film(Transport::deliver);
            }
            PlayerEvent::Ended => self.step_film(Step::Pause),
            PlayerEvent::Silent => film.is_silent = true,
            PlayerEvent::Failed(error) => self.fail_film(sentence(&remark(&error.to_string()))),
        }
    }

    fn fail_film(&mut self, why: String) {
        self.messages.error(why);
        self.stop_film_painting();
        if let Some(film) = &mut self.film {
            film.transport.fail();
        }
    }

    /// Makes a photo of a held frame in the background, and puts it on the table.
    fn prepare_frame(&mut self, frame: Frame, seconds: f64) {
        let Some(view) = &mut self.film else {
            return;
        };
        view.held += 1;
        let (number, film) = (view.held, view.film.clone());
        let framing = self.workspace.choice.framing;
        let make = move || {
            let opened = Opened::of_film(FilmFrame { film, seconds }, frame);
            let framed = framed(opened.whole(), framing)?;
            Ok((opened, framed))
        };
        self.run(make, move |app, (opened, framed)| {
            app.put_frame(number, opened, framing, framed);
        });
    }

    /// Replaces the frame on the table by another one of the film, unless it is an older one; the view stays.
    fn put_frame(&mut self, number: u64, opened: Opened, framing: Framing, shown: Whole) {
        let is_newest = self.film.as_ref().is_some_and(|film| {
            let of_film = opened.film.as_ref().is_some_and(|of| Arc::ptr_eq(&of.film, &film.film));
            of_film && film.held == number && film.painting.is_none()
        });
        if !is_newest || self.live.is_some() {
            return;
        }
        self.drop_request();
        self.painting.framing = None;
        let choice = self.workspace.choice.framing;
        self.stage.set_frame(&self.ctx, &shown.preview, shown.frame.clone());
        self.workspace.put_photo(Opened { framing: choice, ..opened });
        self.workspace.set_framed(framing, shown);
        if self.workspace.choice.style().is_none() {
            self.stage.painting.clear();
        }
        self.follow_choice();
    }

    /// Sends the engine or the player what has changed on the page.
    fn sync_film(&mut self) {
        let settings = self.live_settings();
        let framing = self.workspace.choice.framing;
        let Some(FilmView { painting: Some(painting), .. }) = &mut self.film else {
            return;
        };
        if painting.sent.0 != settings {
            self.engine.set_live(settings.clone());
            painting.sent.0 = settings;
        }
        if painting.sent.1 != framing {
            self.act_film(Transport::again);
        }
    }

    /// Puts the newest painted picture on the stage.
    fn take_film_picture(&mut self) {
        let Some(FilmView { painting: Some(painting), transport, .. }) = &mut self.film else {
            return;
        };
        let is_new = painting.pictures.take();
        let LivePicture { original, painted, facts, .. } = &painting.pictures.value;
        let (Some(facts), Some(photo), true) = (facts, self.workspace.photo(), is_new) else {
            return;
        };
        // Zoom is relative to the pixels of the film.
        let framing = painting.sent.1;
        let size = framing.size(photo.opened.photo.frame.size());
        if facts.mode.is_some() {
            self.stage.set_live(&self.ctx, [original, painted].map(opaque_image_of), size);
        } else {
            self.stage.set_live_alone(&self.ctx, opaque_image_of(original), size, "Original");
        }
        // One of an older order may be at another place of the film.
        if facts.sequence == painting.order {
            transport.show(facts.film_seconds);
            self.act_film(Transport::deliver);
        }
    }
}
