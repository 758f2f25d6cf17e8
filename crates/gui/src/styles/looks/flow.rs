//! Lists, uses, saves, renames, exports and removes looks.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{LookCard, command::LookCommand};
use crate::{
    app::{App, Shell},
    intent::{Intent, LiveCommand},
    pages::photo::paintings::SmallPicture,
    shell::{platform::Dialog, tasks::OrText},
    widgets::{
        label::{label, path_label, remark, stem},
        texture::{MIPMAPPED, image_of},
    },
};
use pictures::encode::{Existing, Format, save_bytes};
use settings::{
    LiveChoices,
    looks::{self, SavedLook},
    painted_with::Painted,
};
use values::{
    disk::{self, reason},
    frame::Frame,
};
use weights::title_from;

impl Shell {
    /// Lists the looks.
    pub fn list_looks(&self) {
        let styles = self.styles.source.clone();
        let read = move || {
            let small = |(name, path): (String, PathBuf)| {
                Some((SmallPicture::of(&path).picture.ok()?, name, path))
            };
            Ok(styles.looks().into_iter().filter_map(small).collect::<Vec<_>>())
        };
        self.run(read, |app, found| {
            let shell = &mut app.shell;
            let card = |(picture, name, path): (Frame, String, PathBuf)| LookCard {
                title: label(&title_from(&BTreeMap::new(), &name)),
                picture: shell.ctx.load_texture("look", image_of(&picture), MIPMAPPED),
                name,
                path,
            };
            shell.styles.looks = found.into_iter().map(card).collect();
        });
    }

    /// Runs work on files of looks, and lists them again.
    fn change_looks(&self, work: impl FnOnce() -> Result<(), String> + Send + 'static) {
        self.tasks.spawn_writing(work, |app: &mut App, done| {
            app.shell.list_looks();
            App::report_failure(app, done);
        });
    }

    fn ask_look_name(&mut self, look: Painted, picture: Frame, name: String, why: Option<String>) {
        let heading = "Save look as".to_owned();
        self.overlays.put_name([heading, name], "Save", why, move |app, name| {
            let styles = app.shell.styles.source.clone();
            let (kept, typed) = (look.clone(), name.clone());
            let shown = picture.clone();
            let keep = move || styles.keep_look(kept, &typed, &shown);
            app.shell.tasks.spawn_writing(keep, |app, kept| match kept {
                Ok(()) => app.shell.list_looks(),
                Err(why) => app.shell.ask_look_name(look, picture, name, Some(remark(&why))),
            });
        });
    }
}

impl App {
    pub(crate) fn perform_look(&mut self, command: LookCommand) {
        let shell = &mut self.shell;
        match command {
            LookCommand::Use(path) => {
                let styles = shell.styles.source.clone();
                let adopt = move || {
                    let painted = styles.adopt_look(&SavedLook::read(&path).or_text()?)?;
                    Ok((painted, styles.cards()))
                };
                shell.run(adopt, |app, (painted, (cards, problems))| {
                    app.handle_styles(cards, &problems, None);
                    app.use_look(painted);
                });
            }
            LookCommand::Prefer(path) => {
                self.restore_before();
                self.perform_look(LookCommand::Use(path));
            }
            LookCommand::Save => {
                let live = self.live.view.as_ref();
                let steadiness = match live {
                    Some(_) => shell.settings.live.steadiness,
                    None => shell.workspace.choice.steadiness,
                };
                let picture = match live {
                    Some(live) => live.seen_picture().map(|(_, painted)| painted.clone()),
                    None => shell.workspace.finished().map(|finished| finished.frame()),
                };
                match shell.workspace.choice.as_look(steadiness).zip(picture) {
                    Some((look, picture)) => {
                        let name = shell.chosen_name().unwrap_or_default();
                        shell.ask_look_name(look, picture, name, None);
                    }
                    None => shell.messages.notice("Wait until something is painted."),
                }
            }
            LookCommand::Rename(path) => {
                let old = stem(&path).into_owned();
                let names = [format!("Rename {}", label(&old)), old];
                shell.overlays.put_name(names, "Rename", None, move |app, name| {
                    app.shell.change_looks(move || {
                        let to = looks::renamed(&path, &name).or_text()?;
                        if to == path { Ok(()) } else { disk::rename(&path, &to).or_text() }
                    });
                });
            }
            LookCommand::Export(from) => {
                let dialog =
                    Dialog::Save { file_name: stem(&from).into_owned(), format: Format::Png };
                shell.ask(dialog, move |app, path| {
                    let file = path.with_extension("png");
                    // The dialog asks before it returns an existing file.
                    let existing = if file == path { Existing::Replace } else { Existing::Keep };
                    let (path, to) = (file.clone(), file);
                    let write = move || {
                        let bytes = fs::read(&from).map_err(|error| reason(&error))?;
                        save_bytes(&to, &bytes, existing).or_text()
                    };
                    app.shell.tasks.spawn_writing(write, move |app: &mut App, done| match done {
                        Ok(()) => {
                            let text = format!("Look exported as {}", path_label(&path));
                            app.shell.messages.report_file(text, &path);
                        }
                        Err(why) => app.shell.messages.error(why),
                    });
                });
            }
            LookCommand::Remove(path) => {
                let file = path.clone();
                let remove = move || {
                    let bytes = fs::read(&file).map_err(|error| reason(&error))?;
                    looks::remove(&file).or_text()?;
                    Ok(bytes.into())
                };
                shell.tasks.spawn_writing(remove, move |app: &mut App, removed| {
                    app.shell.list_looks();
                    match removed {
                        Ok(bytes) => {
                            let text = format!("Look {} removed.", label(&stem(&path)));
                            let undo = LookCommand::Restore(path, bytes).into();
                            app.shell.messages.offer(text, ("Undo", undo));
                        }
                        Err(why) => app.shell.messages.error(why),
                    }
                });
            }
            LookCommand::Restore(path, bytes) => {
                shell.change_looks(move || save_bytes(&path, &bytes, Existing::Keep).or_text())
            }
        }
    }

    /// Paints what is shown in a look.
    fn use_look(&mut self, painted: Painted) {
        let Self { shell, photo, .. } = self;
        if let Some(steadiness) = painted.steadiness.filter(|_| shell.workspace.is_live()) {
            let live = LiveChoices { steadiness, ..shell.settings.live.clone() };
            shell.intents.push(Intent::Live(LiveCommand::SetLive(Box::new(live))));
        }
        if !shell.workspace.is_live() {
            photo.close_painting(shell);
        }
        photo.edit(shell, |choice| *choice = choice.with(painted));
    }
}
