//! Looks: how something is painted (style or mix, detail, strength, colours, steadiness), saved under a name.
//!
//! A look is a PNG file in the user's folder of looks: a small painting with the texts of [`painted_with`](super::painted_with),
//! and one text for each style with what finds it again. A style that was made from a picture is in the file: its code,
//! and the picture in case that the code's network changes. So a painting is also a look, but one whose styles must be
//! in the library.
//!
//! Looks come from other people. [`encode::texts`] limits what is read, and [`SavedLook::of`] refuses invalid values.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use engine::{
    network_choice::{ChosenNetwork, NamedStyle, NetworkChoice, NetworkChoiceError},
    style_picture::{ImportError, look_at},
};
use pictures::{
    MediaError, decode,
    encode::{self, Encoding, Existing, Format},
    scale::{scaled, size_within},
};
use values::{
    disk::{self, WriteError, reason},
    frame::Frame,
    mode::ModelSize,
    text::MAX_TITLE_CHARS,
};
use weights::{
    Checkpoint, CodeOf, LibraryError, MadeBy, PixelChoice, Style, StyleLibrary, StyleNetwork,
    WeightsError, code_file, id_from, user_styles_folder,
};

use super::painted_with::{MAX_STYLES, Painted, PaintedStyle, PaintedWith};

/// Keywords of the texts about each style.
const STYLES: [&str; MAX_STYLES] = ["Style 1", "Style 2", "Style 3", "Style 4"];
/// Long side of a look's own picture, in pixels.
const THUMBNAIL_PX: usize = 256;
/// Long side of a style's picture, in pixels, unless it has too many bytes.
const PICTURE_PX: usize = 1024;
/// Maximum size of a style's picture, and of its code.
const MAX_PART_BYTES: usize = 1 << 20;
/// Maximum memory that decoding a style's picture takes, in bytes.
const PICTURE_MEMORY: u64 = 64 << 20;
/// Maximum length of a path.
const MAX_PATH_BYTES: usize = 4096;

/// What finds a style again.
#[derive(Clone, Debug, Default, PartialEq)]
struct Origin {
    /// Digest of the network, for styles that were not made from a picture; empty if not known.
    digest: String,
    /// The user's own file of weights; empty for a style of the library.
    path: String,
    /// The file of the style's code; empty if it was not made from a picture.
    code: Vec<u8>,
    /// Its picture as JPEG.
    picture: Vec<u8>,
}

/// A look, or the settings of a painting.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedLook {
    pub painted: Painted,
    /// As many as there are styles.
    origins: Vec<Origin>,
}

/// Why a look was not found, read, used or saved.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error("no look is named {name}; {known}")]
    Unknown { name: String, known: String },
    #[error(
        "{name} contains no look; use an exported look, or a PNG or JPEG painting that StyleForge saved with its settings"
    )]
    NoLook { name: String },
    #[error("{name} could not be read: {reason}")]
    Unreadable { name: String, reason: String },
    #[error("'{name}' cannot name a look; use letters or digits")]
    BadName { name: String },
    #[error(
        "the style {name} of this look is missing; add it with styleforge styles import FILE --name {name}, or choose another with --style"
    )]
    NoStyle { name: String },
    #[error("the name of {name} is not valid text; rename the file")]
    Path { name: String },
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Network(#[from] NetworkChoiceError),
    #[error(transparent)]
    Picture(#[from] ImportError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("the look was not saved: {0}")]
    Write(#[from] WriteError),
}

/// The folder of looks, next to that of the user's own styles.
fn folder() -> Result<PathBuf, LibraryError> {
    Ok(user_styles_folder().ok_or(LibraryError::NoOwnFolder)?.with_file_name("looks"))
}

/// The names of the looks, sorted.
pub fn names() -> Vec<String> {
    let Ok(folder) = folder() else {
        return Vec::new();
    };
    disk::sweep(&folder);
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let name = |file: fs::DirEntry| {
        Some(file.file_name().to_str()?.strip_suffix(".png")?.to_owned())
            .filter(|name| id_from(name) == *name)
    };
    let mut names: Vec<_> = files.filter_map(name).collect();
    names.sort();
    names
}

/// The name of a look's file.
fn file_name(name: &str) -> Result<String, LookError> {
    match id_from(name) {
        id if id.is_empty() => Err(LookError::BadName { name: name.to_owned() }),
        id => Ok(format!("{id}.png")),
    }
}

/// The file of the look of this name, existing or not.
///
/// # Errors
/// [`LookError::BadName`], or that there is no home folder.
pub fn file(name: &str) -> Result<PathBuf, LookError> {
    Ok(folder()?.join(file_name(name)?))
}

/// The file of the look at `path` under another name.
///
/// # Errors
/// [`LookError::BadName`].
pub fn renamed(path: &Path, name: &str) -> Result<PathBuf, LookError> {
    Ok(path.with_file_name(file_name(name)?))
}

/// The file of an existing look.
///
/// # Errors
/// [`LookError::Unknown`].
pub fn own(name: &str) -> Result<PathBuf, LookError> {
    let file = file(name)?;
    if file.is_file() {
        return Ok(file);
    }
    let known = match names().as_slice() {
        [] => "save one with styleforge looks import PAINTING".to_owned(),
        names => format!("use one of {}, or a file", names.join(", ")),
    };
    Err(LookError::Unknown { name: name.to_owned(), known })
}

/// The file that `typed` names: a look of the user, otherwise a file. `./name` always means a file.
///
/// # Errors
/// [`LookError::Unknown`].
pub fn find(typed: &OsStr) -> Result<PathBuf, LookError> {
    let path = Path::new(typed);
    if path.components().count() > 1 {
        return Ok(path.to_owned());
    }
    own(&typed.to_string_lossy())
        .or_else(|error| if path.exists() { Ok(path.to_owned()) } else { Err(error) })
}

/// Removes a look's file.
///
/// # Errors
/// The system's error.
pub fn remove(path: &Path) -> Result<(), LookError> {
    fs::remove_file(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> LookError {
    |error| LookError::Unreadable { name: path.display().to_string(), reason: reason(&error) }
}

impl SavedLook {
    /// A look with styles of the library.
    pub fn new(painted: Painted) -> Self {
        Self { origins: vec![Origin::default(); painted.styles.len()], painted }
    }

    /// Reads a look or a painting.
    ///
    /// # Errors
    /// [`LookError::NoLook`], or that the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, LookError> {
        // A pipe blocks until it has a writer.
        let is_file = fs::metadata(path).map_err(unreadable(path))?.is_file();
        let texts = if is_file { encode::texts(path) } else { Vec::new() };
        Self::of(&texts).ok_or_else(|| LookError::NoLook { name: path.display().to_string() })
    }

    /// The look in the texts of a file; `None` if there is none, or a part of it is invalid.
    pub fn of(texts: &[(String, String)]) -> Option<Self> {
        let painted = Painted::of(texts)?;
        let mut look = Self::new(painted);
        for ((keyword, origin), (name, _)) in
            STYLES.iter().zip(&mut look.origins).zip(&look.painted.styles)
        {
            if name.chars().count() > MAX_TITLE_CHARS {
                return None;
            }
            if let Some((_, text)) = texts.iter().find(|(name, _)| name == keyword) {
                *origin = Origin::parsed(text)?;
            }
        }
        Some(look)
    }

    /// Replaces the style.
    ///
    /// # Errors
    /// [`LookError`] if a file cannot be a style.
    pub fn set_style(&mut self, style: NamedStyle) -> Result<(), LookError> {
        let (name, origin) = match style {
            NamedStyle::Style(style) => (style.id, Origin::default()),
            NamedStyle::Picture(path) => {
                let picture = decode::from_path(&path)?.frame;
                let (code, _) = look_at(&StyleNetwork::built_in()?, &picture)?;
                let code = code_file(&code, &Default::default())?;
                let origin = Origin { code, picture: small_file(&picture)?, ..Origin::default() };
                let stem = path.file_stem().unwrap_or_default();
                (stem.to_string_lossy().into_owned(), origin)
            }
            NamedStyle::Weights(path) | NamedStyle::StyleNetwork(path) => {
                let chosen = NetworkChoice::Weights(&path, PixelChoice::default()).load()?;
                let whole = fs::canonicalize(&path).map_err(unreadable(&path))?;
                let name = || path.display().to_string();
                let text = whole.to_str().filter(|text| !text.contains('\n'));
                let path = text.ok_or_else(|| LookError::Path { name: name() })?.to_owned();
                (
                    chosen.label.clone(),
                    Origin { digest: digest(&chosen), path, ..Origin::default() },
                )
            }
        };
        self.painted.styles = vec![(name, 100)];
        self.painted.model = None;
        self.origins = vec![origin];
        Ok(())
    }

    /// Adds what finds the styles again, or paints without them, for those of the library.
    ///
    /// # Errors
    /// [`LookError::NoStyle`], or why a style cannot be read.
    pub fn complete(&mut self, library: &StyleLibrary) -> Result<(), LookError> {
        for ((name, _), origin) in self.painted.styles.iter().zip(&mut self.origins) {
            if *origin != Origin::default() {
                continue;
            }
            let style = found(library, name)?;
            let (checkpoint, size, _) = style.load_or_lite(self.painted.model)?;
            if checkpoint.code.is_some() {
                origin.code = checkpoint.to_safetensors()?;
                let picture = style.thumbnail().filter(|bytes| bytes.len() <= MAX_PART_BYTES);
                origin.picture = picture.unwrap_or_default().into_owned();
            } else {
                origin.digest = format!("{:016x}", checkpoint.network.digest());
                self.painted.model = Some(size);
            }
        }
        Ok(())
    }

    /// Adds its style pictures to the library, unless they are there, and returns the look with the ids of its styles.
    ///
    /// # Errors
    /// [`LookError::NoStyle`], or why a style cannot be added.
    pub fn adopt(&self, library: &mut StyleLibrary) -> Result<Painted, LookError> {
        let mut painted = self.painted.clone();
        for ((name, _), origin) in painted.styles.iter_mut().zip(&self.origins) {
            if origin.code.is_empty() {
                *name = found(library, name)?.id.clone();
                continue;
            }
            let code = origin.code(library, name, &mut Vec::new())?;
            let is_it = |style: &Style| {
                let own = style.load_or_lite(None).ok().and_then(|(own, ..)| own.code);
                own.is_some_and(|own| own.code == code.code)
            };
            // Another style may have the name.
            let (mut title, mut number) = (name.clone(), 1);
            *name = loop {
                match library.find(&title) {
                    Some(style) if is_it(style) => break style.id.clone(),
                    Some(_) => number += 1,
                    None => {
                        let kept = library.keep_style_picture(&code, &title, &origin.picture, None);
                        break kept?.id;
                    }
                }
                title = format!("{name} {number}");
            };
        }
        Ok(painted)
    }

    /// The name of the style or mix.
    pub fn label(&self) -> String {
        let names: Vec<&str> = self.painted.styles.iter().map(|(name, _)| &**name).collect();
        names.join("+")
    }

    /// The network that paints in this look, with notes. `model` is the size of a style of the library, the largest
    /// without it.
    ///
    /// # Errors
    /// [`LookError::NoStyle`], or why a style cannot be used.
    pub fn network(
        &self,
        library: &StyleLibrary,
        model: Option<ModelSize>,
    ) -> Result<ChosenNetwork, LookError> {
        if let ([(name, _)], [origin]) = (&*self.painted.styles, &*self.origins)
            && origin.code.is_empty()
        {
            let mut chosen = match &*origin.path {
                "" => NetworkChoice::Style(found(library, name)?, model).load()?,
                path => NetworkChoice::Weights(path.as_ref(), PixelChoice::default()).load()?,
            };
            let is_comparable = !origin.digest.is_empty() && chosen.model == self.painted.model;
            if is_comparable && origin.digest != digest(&chosen) {
                let note = "changed since the look was saved, so paintings may differ";
                chosen.notes.push(format!("the style {name} {note}"));
            }
            return Ok(chosen);
        }
        let mut notes = Vec::new();
        let mut codes = Vec::new();
        let mut made_by = MadeBy { network: String::new(), id: String::new() };
        for ((name, weight), origin) in self.painted.styles.iter().zip(&self.origins) {
            let CodeOf { code, network } = origin.code(library, name, &mut notes)?;
            made_by = MadeBy { network, id: code.made_by.to_string() };
            codes.push((code, f64::from(*weight)));
        }
        let network = library.networks().find_made_by(&made_by)?;
        let chosen = NetworkChoice::Mix(&network, &codes).load()?;
        let label = self.label();
        Ok(ChosenNetwork { title: label.clone(), label, notes, ..chosen })
    }

    /// Saves it under a name. `picture` is shown for it.
    ///
    /// # Errors
    /// [`LookError`]: the name is not valid or taken, or the file cannot be written.
    pub fn save(&self, name: &str, picture: &Frame, existing: Existing) -> Result<(), LookError> {
        let path = file(name)?;
        let Painted { styles, model, detail, look, steadiness } = self.painted.clone();
        let share = |(name, weight): &(String, u8)| format!("{name} {weight} %");
        let shares: Vec<String> = styles.iter().map(share).collect();
        let painted = PaintedWith {
            style: Some(PaintedStyle {
                label: self.label(),
                model,
                mix: (shares.len() > 1).then(|| shares.join(", ")),
            }),
            mode: None,
            working: None,
            detail: Some(detail),
            look,
            steadiness,
            source: None,
            device: None,
        };
        let mut texts = painted.texts();
        texts.extend(STYLES.into_iter().zip(self.origins.iter().map(Origin::text)));
        let (width, height) = size_within(picture.width(), picture.height(), THUMBNAIL_PX);
        let bytes = encode::png_with_texts(name, &scaled(picture, width, height), &texts)?;
        disk::make_folder(disk::folder_of(&path))?;
        Ok(disk::write_bytes(&path, &bytes, existing)?)
    }
}

impl Origin {
    fn text(&self) -> String {
        let Self { digest, path, code, picture } = self;
        [digest, path, &hex(code), &hex(picture)].map(String::as_str).join("\n")
    }

    fn parsed(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let mut line = || lines.next();
        Some(Self {
            digest: line()?.to_owned(),
            path: line().filter(|path| is_path(path))?.to_owned(),
            code: bytes(line()?)?,
            picture: bytes(line()?)?,
        })
    }

    /// The code of the style `name`.
    fn code(
        &self,
        library: &StyleLibrary,
        name: &str,
        notes: &mut Vec<String>,
    ) -> Result<CodeOf, LookError> {
        let not_of_picture = || LookError::NoStyle { name: name.to_owned() };
        if self.code.is_empty() {
            let (checkpoint, ..) = found(library, name)?.load_or_lite(None)?;
            return checkpoint.code.ok_or_else(not_of_picture);
        }
        match Checkpoint::from_bytes(&self.code) {
            Ok(checkpoint) => checkpoint.code.ok_or_else(not_of_picture),
            Err(error) if self.picture.is_empty() => Err(error.into()),
            Err(_) => {
                let picture = decode::from_bytes_within(name, &self.picture, PICTURE_MEMORY)?.frame;
                notes.push(format!(
                    "{name}: its network changed since the look was saved, so paintings may differ"
                ));
                Ok(look_at(&StyleNetwork::built_in()?, &picture)?.0)
            }
        }
    }
}

fn found<'a>(library: &'a StyleLibrary, name: &str) -> Result<&'a Style, LookError> {
    library.find(name).ok_or_else(|| LookError::NoStyle { name: name.to_owned() })
}

fn digest(chosen: &ChosenNetwork) -> String {
    format!("{:016x}", chosen.network.digest())
}

/// A style's picture as JPEG of at most [`MAX_PART_BYTES`].
fn small_file(picture: &Frame) -> Result<Vec<u8>, MediaError> {
    let mut side = PICTURE_PX;
    loop {
        let (width, height) = size_within(picture.width(), picture.height(), side);
        let small = scaled(picture, width, height);
        let (bytes, _) = encode::to_bytes("style", &small, None, Encoding::of(Format::Jpeg))?;
        if bytes.len() <= MAX_PART_BYTES {
            return Ok(bytes);
        }
        side /= 2;
    }
}

/// True if a look may contain this path: one of this computer, because reading from others would report that to them.
fn is_path(path: &str) -> bool {
    let is_local =
        Path::new(path).is_absolute() && !path.starts_with(r"\\") || path.starts_with(r"\\?\");
    path.is_empty() || path.len() <= MAX_PATH_BYTES && is_local && !path.starts_with(r"\\?\UNC")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal digits, at most [`MAX_PART_BYTES`].
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    (digits.len() <= MAX_PART_BYTES).then(|| digits.map(byte).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::painted_with::{MIX, STYLE};

    #[test]
    fn what_a_look_says_of_its_styles_is_read_again_within_limits() {
        let origin = Origin {
            digest: "12".to_owned(),
            path: "/a b/c.pth".to_owned(),
            code: vec![0, 255, 7],
            picture: vec![9],
        };
        assert_eq!(Origin::parsed(&origin.text()), Some(origin.clone()));
        let long = Origin { picture: vec![1; MAX_PART_BYTES + 1], ..origin.clone() };
        for text in ["", "a", "a\nb\nc", "a\nb\n0g\n00", &long.text(), "a\nb\n\u{e4}\n"] {
            assert_eq!(Origin::parsed(text), None, "{}", &text[..text.len().min(20)]);
        }
        let of = |keyword: &str, text: String| {
            let texts = [(MIX, "a 60 %, b 40 %".to_owned()), (keyword, text)];
            SavedLook::of(&texts.map(|(keyword, text)| (keyword.to_owned(), text)))
        };
        let look = of(STYLES[1], origin.text()).expect("a look");
        assert_eq!((&*look.label(), &look.origins), ("a+b", &vec![Origin::default(), origin]));
        assert_eq!(of(STYLES[0], "no".to_owned()), None);
        let style = |name: String| SavedLook::of(&[(STYLE.to_owned(), name)]);
        assert!(style("a".repeat(200)).is_some());
        assert_eq!(style("a".repeat(201)), None);
    }

    #[test]
    fn looks_of_strangers_are_refused_or_do_no_harm() {
        let texts = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
        };
        let of = |pairs: &[(&str, &str)]| SavedLook::of(&texts(pairs));
        for invalid in [
            [(STYLE, "a"), ("Detail", "99999999999999999999")],
            [(STYLE, "a"), ("Detail", "-1")],
            [(STYLE, "a"), (STYLES[0], "\n../own.pth\n\n")],
            [(STYLE, "a"), (STYLES[0], "\n\\\\host\\share\\own.pth\n\n")],
            [(STYLE, "a"), (MIX, "a 300 %, b 1 %")],
        ] {
            assert_eq!(of(&invalid), None, "{invalid:?}");
        }
        let deep = "(".repeat(1 << 20);
        assert_eq!(of(&[(STYLE, &deep)]), None);
        let strength = |text| of(&[(STYLE, "a"), ("Strength", text)]).map(|of| of.painted.look);
        assert_eq!(strength("250 %"), strength("100 %"));

        // A picture of 30,000 x 30,000 pixels by its header, next to a code that cannot be read.
        let small = Frame::from_fn(2, 2, |_, _| [9, 9, 9, 255]);
        let mut bomb = encode::png_with_texts("a", &small, &[]).expect("encoded");
        bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        let origin = Origin { code: vec![1; 100], picture: bomb, ..Origin::default() };
        let library = StyleLibrary::standard();
        let origin = origin.text();
        for (name, origin, said) in [
            ("a", origin.as_str(), "a"),
            ("a", "\n\n00ff\n", "safetensors"),
            ("a", "ff\n/dev/zero\n\n", "/dev/zero"),
            ("../../a\u{202e}\n\u{7}", "ff\n\n\n", "is missing"),
        ] {
            let look = of(&[(STYLE, name), (STYLES[0], origin)]).expect("a look");
            let error = look.network(&library, None).err().expect(said).to_string();
            assert!(error.contains(said), "{error}");
        }
        // A hash of another network is a note.
        let look = of(&[(STYLE, "candy full"), (STYLES[0], "0\n\n\n")]).expect("a look");
        let chosen = look.network(&library, look.painted.model).expect("candy");
        assert!(
            chosen.notes.iter().any(|note| note.contains("changed since")),
            "{:?}",
            chosen.notes
        );
    }

    #[test]
    fn a_style_picture_of_noise_fits() {
        let mut state = 1u32;
        let noise = Frame::from_fn(1100, 1100, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [r, g, b, _] = state.to_be_bytes();
            [r, g, b, 255]
        });
        assert!(small_file(&noise).is_ok_and(|bytes| bytes.len() <= MAX_PART_BYTES));
    }
}
