//! File dialogs. A path field replaces them on systems that cannot show one.

use std::path::{Path, PathBuf};

use super::{
    overlays::{Field, Overlay},
    platform::{Dialog, from_the_root, path_in},
};
use crate::{
    app::{App, Shell},
    widgets::label::{editable, path_label, remark},
};
use values::disk::free_path;

/// Continues with the path that the user chose.
type PathHandler = Box<dyn FnOnce(&mut App, PathBuf) + Send>;

impl Shell {
    /// Shows a dialog, unless another one is open, and continues with the chosen path.
    pub fn ask(&mut self, dialog: Dialog, then: impl FnOnce(&mut App, PathBuf) + Send + 'static) {
        if std::mem::replace(&mut self.window.has_file_dialog, true) {
            return;
        }
        let state = &self.settings.state;
        let saved = state.save_folder.as_ref().filter(|_| !dialog.opens());
        let folder = saved.or(state.open_folder.as_ref()).cloned();
        let platform = self.platform.clone();
        let shown = dialog.clone();
        self.dialogs.spawn(
            move || platform.ask(&shown, folder.as_deref()),
            move |app, path| {
                app.shell.window.has_file_dialog = false;
                match path {
                    Ok(Some(path)) => use_path(app, &dialog, path, Box::new(then)),
                    Ok(None) => {}
                    Err(why) => ask_for_path(app, dialog, why, None, Box::new(then)),
                }
            },
        );
    }
}

/// The folder of the last opened file.
fn opened_folder(shell: &Shell) -> PathBuf {
    shell.settings.state.open_folder.clone().unwrap_or_else(|| shell.save_folder())
}

/// Remembers the folder of a chosen path, and continues with the path.
fn use_path(app: &mut App, dialog: &Dialog, path: PathBuf, then: PathHandler) {
    let path = from_the_root(path);
    let folder = if matches!(dialog, Dialog::Folder) { Some(&*path) } else { path.parent() };
    // A typed path may name a folder that does not exist.
    let folder = folder.filter(|folder| folder.is_dir()).map(Path::to_owned);
    let state = &mut app.shell.settings.state;
    let remembered = match dialog {
        Dialog::Open | Dialog::Video | Dialog::Folder => &mut state.open_folder,
        Dialog::Style | Dialog::TargetFolder | Dialog::SnapshotFolder => &mut None,
        _ => &mut state.save_folder,
    };
    *remembered = folder.or(remembered.take());
    app.shell.settings_changed();
    then(app, path);
}

/// Shows a path field instead of a file dialog; `typed` is a text that was entered, and what is wrong with it.
fn ask_for_path(
    app: &mut App,
    dialog: Dialog,
    why: String,
    typed: Option<(String, String)>,
    then: PathHandler,
) {
    let button = match dialog {
        Dialog::Open | Dialog::Video | Dialog::Folder => "Open",
        Dialog::Style => "Add",
        Dialog::Save { .. } | Dialog::Export { .. } => "Save",
        Dialog::TargetFolder | Dialog::SnapshotFolder | Dialog::Film { .. } => "Use",
    };
    let suggested = match (&dialog, dialog.file_name()) {
        (_, Some(file_name)) => free_path(app.shell.save_folder().join(file_name)),
        (Dialog::TargetFolder, _) => {
            app.shell.overlays.folder_form().map(|form| form.target.clone()).unwrap_or_default()
        }
        (Dialog::SnapshotFolder, _) => app.shell.snapshot_folder(),
        // A file name without a folder is relative to this folder.
        _ => opened_folder(&app.shell).join(""),
    };
    let (text, problem) = match typed {
        Some((text, problem)) => (text, Some(problem)),
        None => (editable(&suggested), None),
    };
    let mut selected = 0..text.len();
    if problem.is_none() && dialog.file_name().is_some() {
        // The file name without its extension.
        selected.start = text.rfind(std::path::is_separator).map_or(0, |at| at + 1);
        selected.end = text.rfind('.').unwrap_or(text.len());
    }
    let mut reason = remark(&why);
    if dialog.opens() {
        reason.push_str(" You can also drop files onto the window.");
    }
    app.shell.overlays.show(Overlay::Field(Field {
        heading: dialog.title().to_owned(),
        button,
        text,
        selected,
        why: reason,
        problem,
        then: Box::new(move |app, text| take_path(app, dialog, why, text, then)),
    }));
}

/// Continues with a typed path as with one from a dialog; asks again if it cannot be used.
fn take_path(app: &mut App, dialog: Dialog, why: String, text: String, then: PathHandler) {
    let typed = path_in(text.trim());
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let mut path = match (typed.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => home.join(below),
        // A file name without a folder is relative to the suggested folder.
        _ if dialog.opens() => opened_folder(&app.shell).join(typed),
        _ => typed,
    };
    if let Some(problem) = problem_of(&dialog, &path) {
        return ask_for_path(app, dialog, why, Some((text, problem)), then);
    }
    if matches!(dialog, Dialog::Export { .. }) {
        path = free_path(path);
    }
    use_path(app, &dialog, path, then);
}

/// Why a typed path cannot be used, as text.
fn problem_of(dialog: &Dialog, path: &Path) -> Option<String> {
    let name = path_label(path);
    match dialog {
        Dialog::Open | Dialog::Video | Dialog::Style if !path.exists() => {
            Some(format!("There is no file {name}. Check the path."))
        }
        Dialog::Folder if !path.is_dir() => {
            Some(format!("There is no folder {name}. Check the path."))
        }
        _ if dialog.file_name().is_some() => {
            let folder = path.parent().filter(|f| !f.as_os_str().is_empty() && !f.is_dir())?;
            let folder = path_label(folder);
            Some(format!("There is no folder {folder} to save into. Check the path."))
        }
        _ => None,
    }
}
