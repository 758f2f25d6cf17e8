use std::{path::PathBuf, time::Duration};

use pictures::MediaError;

/// The result of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The folder, or the video file.
    pub path: PathBuf,
    pub is_video: bool,
    pub frames: u64,
    /// Frames left out because encoder or disk were too slow.
    pub left_out: u64,
    /// Those of them that were left out before anything was written, while the encoder started.
    pub left_out_at_start: u64,
    /// Total size of its files.
    pub bytes: u64,
    /// From the first frame to the last.
    pub length: Duration,
    /// The microphone, if sound was recorded.
    pub microphone: Option<String>,
    /// How the recording differs from the frames, in sentences for the user.
    pub notes: Vec<String>,
    /// Why it ended early; no more frames were written afterwards.
    pub failure: Option<MediaError>,
}

impl Recorded {
    /// Text for the user: why it ended early and how much was saved; `None` if it did not fail.
    pub fn failure_text(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        Some(format!(
            "the recording in {} ended after {}: {failure}",
            self.path.display(),
            pictures(self.frames)
        ))
    }

    /// The number of frames, length and size, and how many frames were left out.
    pub fn summary(&self) -> String {
        let frames = counted(self.frames, "frame");
        let seconds = self.length.as_secs_f64();
        let size = size_text(self.bytes);
        let at_start = self.left_out_at_start;
        let reasons = [
            (at_start, "while the encoder was starting"),
            (
                self.left_out.saturating_sub(at_start),
                "because frames came faster than they could be written",
            ),
        ];
        let left_out: String = reasons
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, why)| {
                let were = if count == 1 { "was" } else { "were" };
                format!("; {count} {were} left out {why}")
            })
            .collect();
        format!("{frames}, {seconds:.1} s, {size}{left_out}")
    }
}

/// The number of pictures as text.
pub fn pictures(count: u64) -> String {
    counted(count, "picture")
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Hours (if any), minutes and seconds, in the form of a clock.
pub fn length_text(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    match minutes / 60 {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{:02}:{seconds:02}", minutes % 60),
    }
}

/// A file size in common units.
pub fn size_text(bytes: u64) -> String {
    match bytes {
        0..999_001 => format!("{} kB", bytes.div_ceil(1000)),
        999_001..999_950_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// The size of a file between two numbers of bytes, as text.
pub fn size_range(bytes: [u64; 2]) -> String {
    let [least, most] = bytes.map(size_text);
    match (least.split_once(' '), most.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} to {most}"),
        _ => format!("{least} to {most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_sizes_name_a_common_unit_once() {
        assert_eq!(size_range([4_580_000, 22_900_000]), "4.6 to 22.9 MB");
        assert_eq!(size_range([500_000, 2_500_000]), "500 kB to 2.5 MB");
    }

    #[test]
    fn lengths_and_sizes_are_in_units_that_people_know() {
        for (seconds, words) in [(0, "0:00"), (59, "0:59"), (600, "10:00"), (3661, "1:01:01")] {
            assert_eq!(length_text(Duration::from_secs(seconds)), words);
        }
        for (bytes, words) in [
            (0, "0 kB"),
            (1, "1 kB"),
            (999_000, "999 kB"),
            (999_500, "1.0 MB"),
            (2_339_673, "2.3 MB"),
            (999_960_000, "1.0 GB"),
            (12_000_000_000, "12.0 GB"),
        ] {
            assert_eq!(size_text(bytes), words);
        }
    }
}
