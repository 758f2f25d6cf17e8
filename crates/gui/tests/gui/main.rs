//! The window through AccessKit, with a scripted device, styles, dialogs and clipboard.

#![allow(
    clippy::expect_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

mod arrivals;
mod batch;
mod contact_sheet;
mod controls;
mod crop;
mod exports;
mod fades;
mod framing;
#[path = "../../../../tests/support/home.rs"]
mod home;
mod labels;
mod live;
mod mix;
mod narrow;
#[path = "../../../../tests/support/onnx_corpus.rs"]
mod onnx_corpus;
mod opening;
mod order;
mod own_styles;
mod painting;
mod paintings;
mod panel;
#[path = "../../../../tests/support/picture_files.rs"]
mod picture_files;
mod readings;
mod recents;
mod results;
mod save_flow;
mod scripted;
mod snapshots;
#[path = "../../../../tests/support/mod.rs"]
mod support;
mod view;
mod window;
