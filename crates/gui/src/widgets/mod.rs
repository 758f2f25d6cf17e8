//! Parts that are drawn anywhere in the window, and know no page.

pub mod drag;
pub mod focus;
pub mod fonts;
pub mod key_chips;
pub mod label;
pub mod list;
pub mod mode_choice;
pub mod stage;
pub mod texture;
pub mod theme;
