//! A virtual screen and its content.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use image::{RgbImage, imageops};

/// Ends a program that a failed test leaves running.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may already have ended.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A virtual screen.
pub struct Screen {
    /// The display's name, for example `:7`.
    pub display: String,
    /// The file to which its pixels are mapped, in the format of xwd(1).
    pixels: PathBuf,
    _server: Running,
}

impl Screen {
    /// A screen of `size` that keeps its pixels in `folder`.
    pub fn open([width, height]: [u32; 2], folder: &Path) -> Self {
        let mut server = Command::new("Xvfb")
            // Without `-noreset` the server restarts when its only client disconnects, and refuses clients meanwhile.
            // The program checks whether a display answers before it opens its window.
            .args(["-displayfd", "1", "-noreset", "-screen", "0"])
            .arg(format!("{width}x{height}x24"))
            .arg("-fbdir")
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts");
        let mut line = String::new();
        BufReader::new(server.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("its number");
        Self {
            display: format!(":{}", line.trim()),
            pixels: folder.join("Xvfb_screen0"),
            _server: Running(server),
        }
    }

    /// The content of its upper left corner.
    pub fn picture(&self, [width, height]: [u32; 2]) -> RgbImage {
        let file = fs::read(&self.pixels).expect("the screen's pixels");
        let number = |place: usize| {
            let bytes = file[4 * place..4 * place + 4].try_into().expect("four");
            u32::from_be_bytes(bytes) as usize
        };
        // `header_size`, `bytes_per_line` and `ncolors` of XWDFile.h; a colour takes 12 bytes.
        let (begin, line) = (number(0) + 12 * number(19), number(12));
        RgbImage::from_fn(width, height, |x, y| {
            let at = begin + y as usize * line + 4 * x as usize;
            image::Rgb([file[at + 2], file[at + 1], file[at]])
        })
    }
}

/// The part of a picture that begins at `x`, `y`.
pub fn part(picture: &RgbImage, [x, y, width, height]: [u32; 4]) -> RgbImage {
    imageops::crop_imm(picture, x, y, width, height).to_image()
}

/// True if all of it has one colour.
pub fn is_plain(picture: &RgbImage) -> bool {
    let first = picture.get_pixel(0, 0);
    picture.pixels().all(|pixel| pixel == first)
}

/// The difference of two pictures of the same size, of 255.
pub fn apart(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let bytes = a.as_raw().iter().zip(b.as_raw());
    let sum: u64 = bytes.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}
