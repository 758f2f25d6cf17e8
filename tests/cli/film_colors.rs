//! Colours, transparency and times of videos and animations.

use std::{
    fs::{self, File},
    io::BufReader,
};

use image::{
    AnimationDecoder,
    codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder},
    metadata::LoopCount,
};

use crate::{
    film::{described, ffmpeg},
    sandbox::Sandbox,
};

/// The first frame's pixel in RGBA.
fn pixel(s: &Sandbox, film: &str, x: usize, y: usize) -> [u8; 4] {
    // With these tags the PNG would have another gamma.
    let plain = "setparams=color_primaries=unknown:color_trc=unknown";
    ffmpeg(s, &format!("-i {film} -frames:v 1 -vf {plain} -pix_fmt rgba shown.png"));
    s.read("shown.png").pixel(x, y)
}

fn assert_close(found: [u8; 4], expected: [u8; 4], most: u8, what: &str) {
    let is_close = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= most);
    assert!(is_close, "{what}: {found:?} and not {expected:?}");
}

#[test]
fn hdr_and_wide_colors_of_videos_become_those_of_bt709() {
    let s = Sandbox::new();
    let pq = "-colorspace bt2020nc -color_primaries bt2020 -color_trc smpte2084";
    let hlg = "-colorspace bt2020nc -color_primaries bt2020 -color_trc arib-std-b67";
    let bt2020 = "-colorspace bt2020nc -color_primaries bt2020 -color_trc bt2020-10";
    let p3 = "-colorspace bt709 -color_primaries smpte432 -color_trc bt709";
    // Y, U and V of 10 bits, by the formulas of BT.2100, BT.2020 and SMPTE RP 431 for these colours in sRGB.
    let red = [200, 40, 40, 255];
    let blue = [40, 60, 200, 255];
    let gray = [128, 128, 128, 255];
    for (tags, yuv, expected, note) in [
        (pq, [573, 512, 512], [248, 248, 248, 255], "the video is HDR (PQ)"),
        (pq, [439, 512, 512], gray, "HDR (PQ)"),
        (pq, [375, 468, 588], red, "HDR (PQ)"),
        (pq, [339, 607, 507], blue, "HDR (PQ)"),
        (hlg, [721, 512, 512], [248, 248, 248, 255], "the video is HDR (HLG)"),
        (hlg, [367, 434, 675], red, "HDR (HLG)"),
        (hlg, [305, 717, 499], blue, "HDR (HLG)"),
        (bt2020, [940, 512, 512], [255; 4], "its wide colours are converted to BT.709"),
        (bt2020, [383, 430, 681], red, "wide colours"),
        (p3, [348, 448, 738], red, "wide colours"),
    ] {
        let [y, u, v] = yuv;
        let pixels =
            format!("nullsrc=s=32x32:r=5:d=0.4,format=yuv444p10le,geq=lum={y}:cb={u}:cr={v}");
        ffmpeg(&s, &format!("-f lavfi -i {pixels} -color_range tv {tags} -c:v ffv1 wide.mkv"));
        s.stylize(&["wide.mkv", "-o", "a.mp4", "--strength", "0", "--force"]).ends(0).says(note);
        assert_close(pixel(&s, "a.mp4", 16, 16), expected, 4, &format!("{tags} {yuv:?}"));
        let found = described(&s, "a.mp4");
        let is_tagged = ["space", "primaries", "transfer"]
            .iter()
            .all(|tag| found["video streams"].contains(&format!("color_{tag} \"bt709\"")));
        assert!(is_tagged, "{tags}: {found:?}");
    }
}

#[test]
fn numbered_pngs_in_hdr_become_sdr() {
    let s = Sandbox::new();
    // White paper in PQ is level 148.
    ffmpeg(&s, "-f lavfi -i color=0x949494:s=32x32:r=5:d=0.4,format=rgb24 p%d.png");
    for name in ["p1.png", "p2.png"] {
        let mut png = fs::read(s.path(name)).expect("made");
        png.splice(33..33, *b"\0\0\0\x04cICP\x09\x10\0\x01\x4d\x23\x23\xfe");
        fs::write(s.path(name), png).expect("written");
    }
    s.stylize(&["p%d.png", "-o", "a.mp4", "--strength", "0"]).ends(0).says("the video is HDR (PQ)");
    assert_close(pixel(&s, "a.mp4", 16, 16), [248, 248, 248, 255], 4, "white");
}

#[test]
fn a_gif_without_its_end_is_damaged() {
    let s = Sandbox::new();
    ffmpeg(&s, "-f lavfi -i testsrc=s=64x48:r=10:d=0.4 a.gif");
    let gif = fs::read(s.path("a.gif")).expect("made");
    for less in [1, gif.len() / 8] {
        fs::write(s.path("cut.gif"), &gif[..gif.len() - less]).expect("written");
        let words = ["cut.gif", "-o", "b.mp4", "--strength", "0", "--force"];
        s.stylize(&words).ends(1).says("cut.gif is damaged (it has no end marker)");
        s.stylize(&["cut.gif", "-o", "b.mp4", "--end", "0.2", "--force"]).ends(0);
    }
    s.stylize(&["a.gif", "-o", "b.mp4", "--strength", "0", "--force"]).ends(0);
}

#[test]
fn transparency_is_kept_or_lies_on_the_background() {
    let s = Sandbox::new();
    // The left half is transparent, and green below.
    let pixels = "color=s=64x48:r=10:d=0.3,format=rgba,\
                  geq=r='224*gte(X,32)':g='if(lt(X,32),255,64)':b=32:a='255*gte(X,32)'";
    for (name, codec) in [
        ("prores.mov", "prores_ks -pix_fmt yuva444p10le"),
        ("vp9.webm", "libvpx-vp9 -pix_fmt yuva420p"),
        ("vp8.webm", "libvpx -auto-alt-ref 0 -pix_fmt yuva420p"),
        ("a.apng", "apng -f apng"),
    ] {
        ffmpeg(&s, &format!("-f lavfi -i \"{pixels}\" -c:v {codec} {name}"));
        let paint = |output: &str, more: &[&str]| {
            let words = [&[name, "-o", output, "--strength", "0", "--force"], more].concat();
            s.stylize(&words).ends(0)
        };
        for (option, below, words) in [
            (&[][..], [255, 255, 255, 255], "H.264 has no transparency; the background is white"),
            (
                &["--background", "#0000FF"],
                [0, 0, 255, 255],
                "the background is #0000ff; the codecs prores",
            ),
        ] {
            paint("flat.mp4", option).says(words);
            assert_close(pixel(&s, "flat.mp4", 10, 24), below, 8, name);
            assert_close(pixel(&s, "flat.mp4", 50, 24), [224, 64, 32, 255], 24, name);
        }
        let run = paint("kept.mov", &["--codec", "prores"]);
        assert!(!run.stderr.contains("transparency"), "{name}: {}", run.stderr);
        let [r, g, _, alpha] = pixel(&s, "kept.mov", 10, 24);
        assert!(alpha <= 2 && g < 128 && r > 128, "{name}: hidden {r} {g} {alpha}");
        assert!(pixel(&s, "kept.mov", 50, 24)[3] >= 253, "{name}");
    }
    // Pixels that could be transparent, and are not.
    ffmpeg(&s, "-f lavfi -i color=s=64x48:r=10:d=0.3,format=rgba -f apng opaque.apng");
    let run = s.stylize(&["opaque.apng", "-o", "b.mp4", "--strength", "0"]).ends(0);
    assert!(!run.stderr.contains("transparency"), "{}", run.stderr);
    let wrong = ["opaque.apng", "-o", "c.mp4", "--background", "reddish"];
    s.stylize(&wrong).ends(2).says("use white, black or #RRGGBB");
}

#[test]
fn frames_of_a_webp_are_drawn_over_each_other_and_removed() {
    let s = Sandbox::new();
    let still = |color: &str, codec: &str| {
        let source = format!("-f lavfi -i color={color}:s=16x16,format=rgba");
        ffmpeg(&s, &format!("{source} -frames:v 1 -c:v libwebp {codec} still.webp"));
        fs::read(s.path("still.webp")).expect("made")[12..].to_vec()
    };
    let chunk = |name: &[u8; 4], data: &[u8]| {
        [&name[..], &(data.len() as u32).to_le_bytes(), data, &vec![0; data.len() % 2]].concat()
    };
    let frame = |x: u8, flags: u8, parts: Vec<u8>| {
        // Offsets in units of two pixels, sizes minus one, a time of 100 ms.
        let head = [x / 2, 0, 0, 4, 0, 0, 15, 0, 0, 15, 0, 0, 100, 0, 0, flags];
        chunk(b"ANMF", &[&head[..], &parts].concat())
    };
    let (is_removed, replaces) = (1, 2);
    let body = [
        b"WEBP".to_vec(),
        chunk(b"VP8X", &[0x12, 0, 0, 0, 47, 0, 0, 31, 0, 0]),
        chunk(b"ANIM", &[0; 6]),
        frame(0, is_removed, still("red", "-lossless 1")),
        frame(16, 0, still("lime", "-lossless 1")),
        frame(16, is_removed, still("blue@0.5", "-lossless 1")),
        frame(32, replaces, still("white", "-pix_fmt yuv420p")),
    ];
    fs::write(s.path("in.webp"), chunk(b"RIFF", &body.concat())).expect("written");
    s.stylize(&["in.webp", "-o", "out/%d.png", "--strength", "0"]).ends(0);
    for (frame, column, expected) in [
        (1, 0, Some([255, 0, 0, 255])),
        (1, 1, None),
        (2, 0, None),
        (2, 1, Some([0, 255, 0, 255])),
        (3, 1, Some([0, 127, 128, 255])),
        (4, 1, None),
        (4, 2, Some([255; 4])),
    ] {
        let found = s.read(&format!("out/{frame}.png")).pixel(16 * column + 8, 16);
        let what = format!("frame {frame}, column {column}");
        match expected {
            Some(expected) => assert_close(found, expected, 3, &what),
            None => assert_eq!(found[3], 0, "{what}: {found:?}"),
        }
    }
}

/// How often an animation is played, 0 for ever, and the times of its frames in milliseconds.
fn animation(s: &Sandbox, name: &str) -> (u32, Vec<u32>) {
    fn of<'a>(decoder: impl AnimationDecoder<'a>) -> (u32, Vec<u32>) {
        let ms = |frame: image::Frame| {
            let (ms, parts) = frame.delay().numer_denom_ms();
            (f64::from(ms) / f64::from(parts)).round() as u32
        };
        let loops = match decoder.loop_count() {
            LoopCount::Finite(plays) => plays.get(),
            LoopCount::Infinite => 0,
        };
        (loops, decoder.into_frames().map(|frame| ms(frame.expect("a frame"))).collect())
    }
    let file = BufReader::new(File::open(s.path(name)).expect("there"));
    match name.rsplit('.').next() {
        Some("gif") => of(GifDecoder::new(file).expect("a GIF")),
        Some("webp") => of(WebPDecoder::new(file).expect("a WebP")),
        _ => of(PngDecoder::new(file).expect("a PNG").apng().expect("animated")),
    }
}

#[test]
fn animations_keep_their_loops_and_the_times_of_all_frames() {
    let s = Sandbox::new();
    // WebP joins frames that hardly differ.
    let turns = "negate=enable='mod(n\\,2)'";
    // Frames of 100, 200, 1000, 50, 20 and 300 ms.
    let times = "eq(n\\,0)+eq(n\\,10)+eq(n\\,30)+eq(n\\,130)+eq(n\\,135)+eq(n\\,137)";
    let frames = format!(
        "-f lavfi -i testsrc2=s=48x32:r=100:d=1.68 -vf \"select='{times}',{turns}\" -fps_mode passthrough"
    );
    ffmpeg(&s, &format!("{frames} -loop 3 -final_delay 30 in.gif"));
    ffmpeg(
        &s,
        &format!("{frames} -enc_time_base 1:100 -plays 3 -final_delay 3/10 -f apng in.apng"),
    );
    let times = vec![100, 200, 1000, 50, 20, 300];
    for name in ["in.gif", "in.apng"] {
        assert_eq!(animation(&s, name), (3, times.clone()), "{name}");
    }
    s.stylize(&["in.gif", "-o", "in.webp", "--strength", "0"]).ends(0);
    for (source, output) in ["in.gif", "in.apng", "in.webp"]
        .into_iter()
        .flat_map(|source| ["gif", "apng", "webp"].map(|to| (source, format!("out.{to}"))))
    {
        s.stylize(&[source, "-o", &output, "--strength", "0", "--force"]).ends(0);
        assert_eq!(animation(&s, &output), (3, times.clone()), "{source} to {output}");
    }
    // Once, and for ever.
    for (option, loops) in [("-loop -1", 1), ("-loop 0", 0)] {
        ffmpeg(&s, &format!("{frames} {option} b.gif"));
        s.stylize(&["b.gif", "-o", "b.apng", "--strength", "0", "--force"]).ends(0);
        assert_eq!(animation(&s, "b.apng").0, loops, "{option}");
    }
}
