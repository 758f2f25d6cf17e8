//! Encodes one part of a film.

use std::{path::Path, process::Stdio};

use super::{Codec, Tools, job::Film};
use crate::media::{encoder::Encoder, ffmpeg, nut::NutStream};

/// Starts an encoder that writes the file `part`.
///
/// # Errors
/// The reason.
pub fn start(
    tools: &Tools,
    film: &Film<'_>,
    stream: NutStream,
    part: &Path,
) -> Result<Encoder, String> {
    let mut command = tools.command();
    command.args("-f nut -i pipe:0 -map 0:v:0".split(' '));
    let size = (stream.width, stream.height);
    let pixels = film.pixels(size);
    let flags = "flags=bicubic+accurate_rnd+full_chroma_inp";
    let mut colors = Vec::new();
    let filter = if film.container.is_animation() {
        format!("format={pixels}")
    } else {
        let (matrix, range) = film.clip.matrix_and_range();
        let tags;
        (colors, tags) = film.clip.painted_colors().tags();
        let upload = film.hardware.as_deref().map_or("", Codec::upload);
        format!(
            "scale=out_color_matrix={matrix}:out_range={range}:{flags},format={pixels},{tags}{upload}"
        )
    };
    command.args(["-vf", &filter]);
    command.args(tools.ffmpeg.every_picture());
    let (over, under) = stream.tick;
    command.args(["-enc_time_base", &format!("{over}:{under}")]);
    command
        .args(film.codec.options(&tools.ffmpeg, size, film.quality, film.hardware.as_deref())?)
        .args(colors);
    command.args(["-video_track_timescale", &under.to_string()]);
    command.args(["-f", film.codec.part_extension(), "-y"]).arg(ffmpeg::file(part));
    command.stdout(Stdio::null());
    Encoder::start(command, &stream, tools.patience)
}
