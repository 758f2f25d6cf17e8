//! Writes files and folders: whole or not at all, brought to the disk, with messages for people where the
//! system refuses.
//!
//! The only place that makes temporaries, renames, and puts an [`io::Error`](std::io::Error) into words.
//! Knows nothing of what is in a file. Calls block; any thread may call.

mod leftovers;
mod names;
mod temporary;
mod words;
mod write;

pub use leftovers::{remove_abandoned, sweep};
pub use names::free_path;
pub use words::{cannot_write, reason, without_number, words};
pub use write::{
    Existing, FolderSync, WriteError, check_folder, check_target, create_owned, folder_of,
    make_folder, make_new_folder, remove_folder, rename, sync_file, sync_folder, write_folder,
    write_whole,
};

#[cfg(test)]
pub(crate) use write::synced;
