//! The photo page: a photo on the table, its painting, the saved paintings.

pub mod contact_sheet;
pub mod controls;
pub mod crop;
pub mod finished;
pub mod incoming;
pub mod opened;
pub mod opening;
pub mod output_size;
pub mod painting;
pub mod paintings;
pub mod save_flow;
pub mod welcome;
