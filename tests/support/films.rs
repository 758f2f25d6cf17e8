//! A small film for tests, and scripts that stand in for the ffmpeg that reads and writes it.
#![allow(clippy::expect_used, reason = "test support: a broken test should panic")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use media::{
    ffmpeg::Ffmpeg,
    film::{Clip, Tools},
    nut::{NutMuxer, NutStream, SQUARE, Track},
};
use serde_json::json;

use crate::fake_ffmpeg;

pub const FRAMES: u64 = 20;
/// What a decoder does that works.
pub const DECODES: &str = "cat clip.nut";

fn stream() -> NutStream {
    let (tick, aspect) = ((1, 30), SQUARE);
    NutStream { width: 64, height: 48, tick, aspect, ..NutStream::default() }
}

/// Tools with this script as ffmpeg.
pub fn tools(folder: &Path, script: &str) -> Tools {
    let encoders = ["libx264", "ffv1", "h264_nvenc", "h264_vaapi"].map(str::to_owned).to_vec();
    let program = fake_ffmpeg::program(folder, script);
    Tools {
        ffmpeg: Ffmpeg { program, version: "6.1".to_owned(), encoders, sets_durations: true },
        patience: Duration::from_millis(300),
        control: Arc::default(),
        max_memory_bytes: None,
    }
}

/// Tools whose ffmpeg runs one of these scripts, in a folder that gets `clip.nut`.
pub fn film_tools(folder: &Path, [decodes, encodes, joins]: [&str; 3]) -> Tools {
    let (mut muxer, mut nut) = (NutMuxer::default(), Vec::new());
    muxer.begin(&stream(), &mut nut);
    for number in 0..FRAMES {
        muxer.frame(Track::Pictures, number, 4 * 64 * 48, &mut nut);
        nut.resize(nut.len() + 4 * 64 * 48, number as u8);
    }
    fs::write(folder.join("clip.nut"), nut).expect("written");
    let script = format!(
        "for last; do :; done; last=${{last#file:}}\n\
         case $last in /*) ;; *) last=$PWD/$last;; esac\ncd {folder:?}\n\
         case \"$*\" in *'nut pipe:1'*) {decodes};; *concat*) {joins};; *) {encodes};; esac"
    );
    tools(folder, &script)
}

pub fn clip() -> Clip {
    let clip = Clip::of(
        "clip.mp4",
        &json!({ "streams": [
            { "index": 0, "codec_type": "video", "width": 64, "height": 48, "pix_fmt": "yuv420p",
              "avg_frame_rate": "30/1" }
        ]}),
    );
    clip.expect("a clip")
}
