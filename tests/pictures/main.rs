//! Pictures that people have and pictures that somebody made to do harm: read upright and exactly,
//! or refused quickly with a reason. And results: written whole, or not at all.
#![allow(clippy::expect_used)]

mod colors;
mod hostile;
mod inside;
mod made;
#[path = "../support/real_time.rs"]
mod real_time;
mod writing;
