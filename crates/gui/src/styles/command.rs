//! Commands for the styles.

use std::path::PathBuf;

use crate::styles::{looks::command::LookCommand, order::Move};
use weights::PixelFormat;

/// Commands for the styles.
#[derive(Debug, Clone, PartialEq)]
pub enum StyleCommand {
    AskStyle,
    PickStyle(String),
    /// Paint in the style with this number key, counted from 0.
    PickKey(usize),
    /// Paint in the style this many places further down the gallery.
    StepStyle(isize),
    /// Ask for a name under which the mix becomes a style.
    AskMixName,
    /// Stop mixing: continue with the chosen style alone.
    DropMix,
    /// Ask for a new name for this style.
    AskName(String),
    RemoveStyle(String),
    /// Move this style in the list.
    MoveStyle(String, Move),
    /// Ask for a new name for the chosen style or for the mix.
    RenameChosen,
    /// Remove the chosen style from the gallery, stop mixing, or remove the open painting from its list.
    RemoveChosen,
    /// Move the chosen style in the list.
    MoveChosen(Move),
    /// Restore a removed style.
    BringBack(String),
    /// Add the file that the question is about; its network's inputs and outputs have this format.
    TakeReading(PixelFormat),
    /// Add the picture in this file as a style.
    UseAsStyle(PathBuf),
    Look(LookCommand),
    /// Use this example of a style for the open photo, or for the sample.
    UseExample(usize),
    /// Add the photo in this file as a style, and show the previous photo again.
    PreferStyle(PathBuf),
}
