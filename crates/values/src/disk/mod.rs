//! Writes files and folders completely or not at all, syncs them to the disk, and explains errors of the system.
//!
//! Only this module creates temporaries, renames files, and turns an [`io::Error`](std::io::Error) into text. It does
//! not depend on file contents. Calls block; they may be made from any thread.

mod leftovers;
mod names;
mod private;
mod temporary;
mod words;
mod write;

pub use leftovers::{remove_abandoned, sweep};
pub use names::{free_path, numbered_path};
pub use private::PrivateFolder;
pub use temporary::{ExchangeFolder, remove_exchanged};
pub use words::{cannot_write, reason, without_number, words};
pub use write::{
    Existing, FolderSync, WriteError, check_folder, check_target, create_owned, folder_of,
    make_folder, make_new_folder, overwrite, publish, remove_folder, rename, sync_file,
    sync_folder, write_bytes, write_folder, write_whole,
};
