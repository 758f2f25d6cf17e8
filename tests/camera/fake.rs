//! The camera of `shim.c`: its folder, and the switches that make it fail.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{FileExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};

/// The stable name of the camera in the system.
pub const ID: &str = "usb-Fake_Camera_0001-video-index0";
/// The display name.
pub const NAME: &str = "Fake Camera";
/// The environment variable with the camera's folder, for the library.
pub const ROOT: &str = "FAKE_CAMERA_ROOT";
/// The environment variable with the library that is loaded before all others.
pub const PRELOAD: &str = "LD_PRELOAD";

/// Builds the library with the system's C compiler and returns its path.
pub fn build_library() -> Result<PathBuf, String> {
    let source = crate::home::project().join("tests/camera/shim.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fake_camera.so");
    // Two test programs may build it at the same time, and one may have it loaded.
    let part = library.with_extension(std::process::id().to_string());
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([part.as_os_str(), source.as_os_str()])
        .args(["-ldl", "-lpthread"])
        .output()
        .map_err(|e| format!("the C compiler cc could not be started: {e}"))?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned());
    }
    fs::rename(&part, &library).map_err(|e| e.to_string())?;
    Ok(library)
}

/// The numbers that are shared with `shim.c`, in the same order.
#[derive(Clone, Copy)]
#[allow(dead_code)]
pub enum Switch {
    Plugged,
    Generation,
    OpenError,
    Busy,
    Stalled,
    Hangs,
    Width,
    Height,
    Damage,
    Kinds,
    Intervals,
    StopError,
    Opened,
    Closed,
    Streaming,
    Frames,
    Space,
    Encoding,
    Range,
    LoopState,
    LoopOpenError,
    LoopFormatError,
    LoopWriteError,
    LoopWidth,
    LoopHeight,
    LoopFourcc,
    LoopShort,
    LoopOpen,
    LoopWritten,
    LoopBytes,
}

/// Values of [`Switch::LoopState`]; 0 without the device.
pub const LOOP_OUTPUT: u32 = 1;
pub const LOOP_CAMERA: u32 = 2;
pub const LOOP_NEITHER: u32 = 3;

/// Number of times that the device is opened while it sends: once for the frames, and a second time in addition.
pub const OPENINGS: u32 = 2;

/// Bits of [`Switch::Kinds`].
pub const MJPG: u32 = 1;
pub const YUYV: u32 = 2;
pub const NV12: u32 = 4;
pub const RGB3: u32 = 8;
pub const GREY: u32 = 16;
pub const H264: u32 = 32;
pub const YU12: u32 = 64;
pub const YV12: u32 = 128;
pub const UYVY: u32 = 256;
pub const YVYU: u32 = 512;
pub const NV21: u32 = 1024;
pub const BGR3: u32 = 2048;
pub const XR24: u32 = 4096;
pub const Y10: u32 = 8192;
pub const Y16: u32 = 16384;

/// The sizes for which there are JPEG pictures.
const SIZES: [(u32, u32); 3] = [(640, 480), (320, 240), (1280, 720)];

pub struct Fake {
    root: PathBuf,
    control: File,
}

impl Fake {
    /// Creates the folder for a camera that is plugged in and sends YUYV.
    pub fn make(root: &Path) -> Self {
        for folder in ["dev/v4l/by-id", "dev/v4l/by-path", "sys/class/video4linux"] {
            fs::create_dir_all(root.join(folder)).expect("folder");
        }
        fs::write(root.join("control"), [0; 128]).expect("control");
        let fake = Self::at(root);
        fake.set(Switch::Kinds, YUYV);
        fake.plug_in();
        fake
    }

    /// The camera of this process.
    pub fn here() -> Self {
        Self::at(Path::new(&std::env::var_os(ROOT).expect("under the library")))
    }

    fn at(root: &Path) -> Self {
        let control =
            OpenOptions::new().read(true).write(true).open(root.join("control")).expect("control");
        Self { root: root.to_owned(), control }
    }

    pub fn set(&self, switch: Switch, value: u32) {
        self.control.write_all_at(&value.to_ne_bytes(), switch as u64 * 4).expect("written");
    }

    pub fn get(&self, switch: Switch) -> u32 {
        let mut bytes = [0; 4];
        self.control.read_exact_at(&mut bytes, switch as u64 * 4).expect("read");
        u32::from_ne_bytes(bytes)
    }

    /// Plugs the camera in: the device answers, then its files and names appear.
    pub fn plug_in(&self) {
        self.plug_in_as(0);
    }

    /// Plugs the camera in as `/dev/videoN`, N = `first`, and the next number. A system does not reuse a device number
    /// while a program has the old device open.
    pub fn plug_in_as(&self, first: u32) {
        self.set(Switch::Generation, self.get(Switch::Generation) + 1);
        self.set(Switch::Plugged, 1);
        let second = "usb-Fake_Camera_0001-video-index1";
        for (number, link) in [(first, ID), (first + 1, second)] {
            let about = self.root.join(format!("sys/class/video4linux/video{number}"));
            fs::create_dir_all(&about).expect("folder");
            fs::write(about.join("name"), format!("{NAME}\n")).expect("name");
            symlink("../../../1-1:1.0", about.join("device")).expect("link");
            let target = format!("../../video{number}");
            symlink(target, self.root.join("dev/v4l/by-id").join(link)).expect("link");
            fs::write(self.root.join(format!("dev/video{number}")), []).expect("node");
        }
    }

    /// Loads the module of a virtual camera, `/dev/video10`.
    pub fn load_virtual_camera(&self) {
        self.set(Switch::LoopState, LOOP_OUTPUT);
        let about = self.root.join("sys/class/video4linux/video10");
        fs::create_dir_all(&about).expect("folder");
        fs::write(about.join("name"), "StyleForge\n").expect("name");
        fs::write(about.join("max_openers"), "10\n").expect("openers");
        fs::write(self.root.join("dev/video10"), []).expect("node");
    }

    pub fn unplug(&self) {
        self.set(Switch::Plugged, 0);
        for folder in ["dev/v4l/by-id", "sys/class/video4linux"] {
            fs::remove_dir_all(self.root.join(folder)).expect("removed");
            fs::create_dir_all(self.root.join(folder)).expect("folder");
        }
        for entry in fs::read_dir(self.root.join("dev")).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_file() {
                fs::remove_file(path).expect("removed");
            }
        }
    }

    /// Removes the links with stable names, as on systems without udev.
    pub fn forget_stable_names(&self) {
        fs::remove_dir_all(self.root.join("dev/v4l")).expect("removed");
    }

    /// Writes the pictures of an MJPEG stream: like the raw ones, but in RGB.
    pub fn write_jpegs(&self) {
        for size in SIZES {
            self.write_jpeg_as(size, size);
        }
    }

    /// Writes the picture that is sent for the size `agreed`, with another size.
    pub fn write_jpeg_as(&self, (width, height): (u32, u32), agreed: (u32, u32)) {
        let pixels: Vec<u8> = (0..width * height)
            .flat_map(|i| smooth_picture(i % width, i / width, width, height))
            .collect();
        let file = File::create(self.root.join(format!("{}x{}.jpg", agreed.0, agreed.1)));
        JpegEncoder::new_with_quality(file.expect("file"), 90)
            .encode(&pixels, width, height, ExtendedColorType::Rgb8)
            .expect("encoded");
    }
}

/// The picture of an MJPEG stream: gradients, which JPEG keeps almost exactly.
pub fn smooth_picture(x: u32, y: u32, width: u32, height: u32) -> [u8; 3] {
    [(40 + 160 * x / width) as u8, (200 - 120 * y / height) as u8, 90]
}
