//! Typical and hostile pictures: read upright and exactly, or refused quickly with a reason. Results are written
//! completely, or not at all.
#![allow(clippy::expect_used)]

mod colors;
mod formats;
#[path = "../support/home.rs"]
mod home;
mod hostile;
mod inside;
mod made;
#[path = "../support/picture_files.rs"]
mod picture_files;
#[path = "../support/real_time.rs"]
mod real_time;
mod writing;
