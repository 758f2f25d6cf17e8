//! Typical and hostile pictures: read upright and exactly, or refused quickly with a reason. Results are written
//! completely, or not at all.
#![allow(clippy::expect_used)]

mod colors;
mod formats;
#[path = "../../../../tests/support/home.rs"]
mod home;
mod hostile;
mod inside;
mod made;
#[path = "../../../../tests/support/picture_files.rs"]
mod picture_files;
#[path = "../../../../tests/support/real_time.rs"]
mod real_time;
mod writing;
