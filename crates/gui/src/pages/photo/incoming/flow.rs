//! Turns dragged, dropped and pasted files and pictures into photos or styles.

use std::path::PathBuf;

use eframe::egui::{self, Key, Pos2, TextureOptions};

use super::{Before, ONE, PictureUse, SEVERAL, USES, target_at};
use crate::{
    app::{App, Shell},
    intent::{Intent, StyleCommand},
    jobs::{FolderForm, Jobs},
    pages::photo::{
        PhotoPage,
        opened::{FilesByKind, Opened, Origin, from_clipboard},
        state::NextStep,
    },
    shell::{
        overlays::{Answer, Buttons},
        platform::Clip,
        tasks::OrText,
    },
    styles::looks::command::LookCommand,
    widgets::{label::name_label, texture::image_of},
    workspace::Page,
};
use settings::looks::SavedLook;
use values::{compose::Look, frame::Frame};

/// Time between two queries of the pointer while files are dragged.
const ASK_EVERY_SECONDS: f64 = 0.04;
/// Maximum number of pictures that become styles at once; each takes a while.
const MAX_STYLES: usize = 16;
/// The name of a style made from a pasted picture.
const PASTED: &str = "Pasted picture";

/// The content of the clipboard, ready to be used.
enum Pasted {
    Picture(Box<Opened>),
    Files(Vec<PathBuf>),
    Nothing,
}

impl PhotoPage {
    /// Notes files that are dragged over the window, and those that were dropped.
    pub fn note_incoming(&mut self, shell: &mut Shell) {
        let (hovers, dropped, now) = shell.ctx.input(|i| {
            let mut dropped: Vec<PathBuf> =
                i.raw.dropped_files.iter().map(|f| f.path().to_owned()).collect();
            dropped.dedup();
            (!i.raw.hovered_files.is_empty(), dropped, i.time)
        });
        // Only the message leads back to what was shown before.
        self.incoming.before.take_if(|_| !shell.messages.has_offer(returns));
        if !dropped.is_empty() {
            let area = self.incoming.targets_over;
            ask_pointer(shell, move |app, pointer| {
                let target = area.zip(pointer).and_then(|(area, at)| target_at(area, at));
                app.photo.sort(
                    &mut app.shell,
                    dropped,
                    target.map_or(PictureUse::Unsaid, |at| USES[at]),
                );
            });
        }
        if !hovers {
            self.incoming.pointer = None;
            self.incoming.ask_at = 0.0;
            return;
        }
        if now >= self.incoming.ask_at {
            // One query at a time.
            self.incoming.ask_at = f64::INFINITY;
            ask_pointer(shell, move |app, pointer| {
                app.photo.incoming.pointer = pointer;
                app.photo.incoming.ask_at = now + ASK_EVERY_SECONDS;
                app.shell.ctx.request_repaint();
            });
        }
        shell.ctx.request_repaint_after_secs(ASK_EVERY_SECONDS as f32);
    }

    /// Asks how to use a picture or the files on the clipboard.
    pub fn paste(&mut self, shell: &mut Shell) {
        let ticket = self.opening.begin_next();
        let platform = shell.platform.clone();
        let paste = move || {
            Ok(match platform.paste()? {
                Clip::Picture(frame) => Pasted::Picture(Box::new(from_clipboard(frame))),
                Clip::Files(files) => Pasted::Files(files),
                Clip::Nothing => Pasted::Nothing,
            })
        };
        shell.tasks.spawn(paste, move |app, pasted| {
            let is_newest = app.photo.opening.end(ticket);
            match pasted {
                Ok(Pasted::Files(files)) => app.photo.sort(&mut app.shell, files, PictureUse::Asked),
                Ok(Pasted::Nothing) => app.shell.messages.notice(
                    "There is no picture on the clipboard. Copy a picture or its file and paste again.",
                ),
                // Something else was opened later.
                _ if !is_newest => {}
                Ok(Pasted::Picture(picture)) => {
                    let frame = &picture.photo.frame;
                    let (w, h) = frame.size();
                    let name = format!("{}, {w} × {h} px", picture.title());
                    let preview = picture.preview.clone();
                    ask_use(&mut app.shell, 1, name, Some(&preview), move |app, picture_use| match picture_use {
                        PictureUse::Style => app.shell.import_with(PASTED.into(), move |styles, _| {
                            styles.import_picture(&picture.photo.frame, PASTED)
                        }),
                        _ => app.ask_or_perform(NextStep::Put(picture)),
                    });
                }
                Err(error) => app.shell.messages.error(error),
            }
        });
    }

    /// Puts a photo on the table. If its use was not specified, a message offers to make a style of it.
    pub fn note_put(&mut self, shell: &mut Shell, opened: Opened, was_live: bool) {
        shell.messages.withdraw(returns);
        let is_it =
            |path: &PathBuf| opened.origin == Origin::File(path.clone()) && opened.film.is_none();
        let unsaid = self.incoming.unsaid.take().filter(is_it);
        let photo = shell.workspace.put_photo(opened);
        self.incoming.before = None;
        let Some(path) = unsaid else {
            return;
        };
        self.incoming.before = Some(Before { photo, was_live });
        let text = match shell.workspace.choice.style() {
            Some(_) => "Painted as a photo.",
            None => "Opened as a photo.",
        };
        shell.messages.offer(
            text,
            ("Use it as the style instead", Intent::Style(StyleCommand::PreferStyle(path.clone()))),
        );
        let file = path.clone();
        let look = move || SavedLook::read(&file).or_text();
        shell.tasks.spawn(look, |app, look| {
            if look.is_ok() && app.shell.workspace.shown_file() == Some(path.as_path()) {
                let use_look = Intent::Style(StyleCommand::Look(LookCommand::Prefer(path)));
                let text = "StyleForge painted this file. Use its look?";
                app.shell.messages.offer(text, ("Use its look", use_look));
            }
        });
    }
}

/// True if an offer restores what was shown before.
fn returns(offered: &Intent) -> bool {
    let Intent::Style(command) = offered else {
        return false;
    };
    matches!(command, StyleCommand::PreferStyle(_) | StyleCommand::Look(LookCommand::Prefer(_)))
}

impl App {
    /// Continues with files that were sorted by kind.
    pub(crate) fn handle_sorted(
        &mut self,
        ticket: u64,
        picture_use: PictureUse,
        sorted: FilesByKind,
    ) {
        let Self { shell, photo, .. } = self;
        for problem in sorted.problems {
            shell.messages.error(problem);
        }
        for checkpoint in sorted.checkpoints {
            shell.import(checkpoint);
        }
        let photos = sorted.photos;
        match picture_use {
            _ if photos.is_empty() => {}
            PictureUse::Asked if !sorted.has_folder => {
                let name = match photos.as_slice() {
                    [one] => name_label(one),
                    many => format!("{} pictures", many.len()),
                };
                ask_use(shell, photos.len(), name, None, move |app, picture_use| {
                    let sorted = FilesByKind { photos, ..FilesByKind::default() };
                    let ticket = app.photo.opening.ticket();
                    app.handle_sorted(ticket, picture_use, sorted);
                });
            }
            PictureUse::Style if !sorted.has_folder => make_styles(shell, photos),
            _ if photos.len() > 1 || sorted.has_folder => {
                if photos.len() > 1 {
                    photo.open_set(shell, ticket, &photos, !sorted.has_folder);
                }
                if sorted.has_folder {
                    offer_batch(shell, photos, sorted.notes);
                }
            }
            _ => {
                for path in photos {
                    let is_unsaid = picture_use == PictureUse::Unsaid;
                    photo.incoming.unsaid = is_unsaid.then(|| path.clone());
                    photo.open_file(shell, ticket, path);
                }
            }
        }
    }

    /// Makes a style of a photo that was opened, and restores what was shown before.
    pub(crate) fn prefer_style(&mut self, path: PathBuf) {
        self.shell.import(path);
        self.restore_before();
    }

    /// Shows again what was shown before the photo that a message is about.
    pub(crate) fn restore_before(&mut self) {
        let Some(Before { photo, was_live }) = self.photo.incoming.before.take() else {
            return;
        };
        if let Some(photo) = photo {
            self.put(photo);
        }
        if was_live {
            self.show_page(Page::Live);
        }
    }
}

/// Converts a position on the screen, in pixels, to the window; `None` if the window does not know its own position.
fn in_window(ctx: &egui::Context, (x, y): (i32, i32)) -> Option<Pos2> {
    ctx.input(|i| {
        let window = i.viewport().inner_rect?;
        let at = egui::pos2(x as f32, y as f32) / i.pixels_per_point();
        Some(at - window.min.to_vec2())
    })
}

/// Queries the position of the pointer in the window.
fn ask_pointer(shell: &Shell, then: impl FnOnce(&mut App, Option<Pos2>) + Send + 'static) {
    let platform = shell.platform.clone();
    shell.tasks.spawn(
        move || Ok(platform.pointer()),
        |app, place| {
            let reported = place.ok().flatten().and_then(|place| in_window(&app.shell.ctx, place));
            let pointer = reported.or_else(|| app.shell.ctx.input(|i| i.pointer.latest_pos()));
            then(app, pointer);
        },
    );
}

fn make_styles(shell: &mut Shell, pictures: Vec<PathBuf>) {
    if pictures.len() > MAX_STYLES {
        shell.messages.error(format!(
            "{} images are too many to add as styles at once. Add at most {MAX_STYLES} at a time.",
            pictures.len()
        ));
        return;
    }
    for picture in pictures {
        shell.import(picture);
    }
}

/// Asks how to paint these files.
pub fn offer_batch(shell: &mut Shell, files: Vec<PathBuf>, notes: Vec<String>) {
    shell.run(
        move || Ok(FolderForm::new(files, notes)),
        |app, form| Jobs::ask_about_folder(&mut app.shell, form),
    );
}

/// Asks how to use pictures.
fn ask_use(
    shell: &mut Shell,
    count: usize,
    name: String,
    picture: Option<&Frame>,
    then: impl FnOnce(&mut App, PictureUse) + Clone + 'static,
) {
    let (heading, [paint, style]) = match count {
        1 => ("Paint it, or use it as a style?", ONE),
        _ => ("Paint them, or use them as styles?", SEVERAL),
    };
    let load = |frame: &Frame| {
        shell.ctx.load_texture("asked about", image_of(frame), TextureOptions::LINEAR)
    };
    let picture = picture.map(load);
    let other = then.clone();
    let paint = Answer::new(paint, |app: &mut App| then(app, PictureUse::Photo));
    let style = Answer::new(style, |app: &mut App| other(app, PictureUse::Style));
    shell.overlays.put_buttons(Buttons {
        heading: heading.to_owned(),
        text: name,
        picture,
        answers: vec![
            Answer { key: Some(Key::P), ..paint },
            Answer { key: Some(Key::S), ..style },
            Answer::cancel("Cancel"),
        ],
        can_turn_off: false,
    });
}

/// The first photo inherits the look of live mode; reports which parts differ from the defaults.
pub fn report_inherited_look(shell: &mut Shell) {
    let look = shell.workspace.choice.look;
    let usual = Look::default();
    let mut parts = Vec::new();
    if look.strength_percent != usual.strength_percent {
        parts.push(format!("strength {} %", look.strength_percent));
    }
    if look.keep_colors {
        parts.push("the photo's colours kept".to_owned());
    }
    if !parts.is_empty() {
        let parts = parts.join(", ");
        let text = format!("The photo starts with your live settings: {parts}.");
        shell.messages.notice(text);
    }
}
