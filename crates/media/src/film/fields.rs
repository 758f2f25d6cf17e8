//! Finds out if a video is interlaced that does not say so.

use std::{path::Path, time::Duration};

use super::{
    clip::{Clip, FieldOrder},
    decimal,
};
use crate::{
    ffmpeg::{Ffmpeg, Input},
    memory::{Flow, max_pixels_of, most_bytes},
};
use threads::process;
use values::control::RunControl;

/// Pictures that are looked at, and how long that may take.
const PICTURES: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(10);
/// By default, fine lines that move would be fields.
const FILTER: &str = "idet=intl_thres=1.3";
/// What precedes the numbers that the filter reports at its end.
const FOUND: &str = "Multi frame detection:";

/// Looks at some pictures of the clip.
pub fn detect(ffmpeg: &Ffmpeg, path: &Path, clip: &Clip, control: &RunControl) -> FieldOrder {
    let mut command = ffmpeg.command();
    command.args(["-loglevel", "info"]).args(max_pixels_of(clip.size));
    // A film often begins with a still picture.
    if let Some(seconds) = clip.seconds {
        command.args(["-ss", &decimal(seconds / 3.0)]);
    }
    Input::Video(path).add_to(&mut command);
    command.args(["-map", &format!("0:{}", clip.stream), "-vf", FILTER]);
    command.args(["-frames:v", &PICTURES.to_string()]).args("-f null -".split(' '));
    process::limit_memory(&mut command, most_bytes(clip.decoder_bytes(Flow::Usual)));
    let ended = process::run(command, PATIENCE, control);
    ended.map_or(FieldOrder::Progressive, |e| order_of(&String::from_utf8_lossy(&e.errors)))
}

/// The order that the filter `idet` reports for more than half of the pictures in which it has found one.
fn order_of(report: &str) -> FieldOrder {
    let found = report.rsplit_once(FOUND).map_or("", |(_, found)| found);
    let words: Vec<&str> = found.lines().next().unwrap_or_default().split_whitespace().collect();
    let count = |name: &str| -> u64 {
        let number = words.iter().skip_while(|word| **word != name).nth(1);
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let [top, bottom] = [count("TFF:"), count("BFF:")];
    if top + bottom <= count("Progressive:") {
        FieldOrder::Progressive
    } else if top >= bottom {
        FieldOrder::Top
    } else {
        FieldOrder::Bottom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_decides() {
        for (found, order) in [
            ("TFF:    25 BFF:     0 Progressive:     0 Undetermined:     0", FieldOrder::Top),
            ("TFF:     1 BFF:    40 Progressive:    30 Undetermined:    29", FieldOrder::Bottom),
            (
                "TFF:     2 BFF:     0 Progressive:    80 Undetermined:    18",
                FieldOrder::Progressive,
            ),
            (
                "TFF:     0 BFF:     0 Progressive:     0 Undetermined:     9",
                FieldOrder::Progressive,
            ),
            ("", FieldOrder::Progressive),
        ] {
            let single = "Single frame detection: TFF: 9 BFF: 9 Progressive: 0";
            let report = format!("[Parsed_idet_0 @ 0x5] {single}\n[x] {FOUND} {found}\n[x] end");
            assert_eq!(order_of(&report), order, "{found}");
        }
    }
}
