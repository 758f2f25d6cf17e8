//! The validated job of `stylize`: all inputs are found and all output paths are known.
//!
//! This is the second validation of the arguments; `args` has checked each one individually. It only looks at which
//! files and folders exist.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs,
    io::{ErrorKind, IsTerminal, stdin},
    path::{MAIN_SEPARATOR, Path, PathBuf},
};

use super::{
    CliError,
    args::{AnyFormat, DeviceArgs, ProfileChoice, SharingArgs, StylePictureArgs, StylizeArgs},
    terminal::prints_to_terminal,
};
use crate::{
    compose::Look,
    disk::{folder_of, words},
    engine::paint::{OutputSize, PaintSettings},
    film::{Codec, Container, Numbered, Range},
    media::{
        encode::{DEFAULT_QUALITY, Encoding, Existing, Format},
        folder::{Folder, Placed, is_animated, is_film},
        framing::Framing,
    },
    mode::ModelSize,
    weights::{ALL_STYLES, PixelChoice},
};

/// The argument that means standard input or output.
const STANDARD_STREAM: &str = "-";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhotoInput {
    File(PathBuf),
    Stdin,
}

impl PhotoInput {
    fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stdin => None,
        }
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }
}

/// Where a painting is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    File(PathBuf, Format),
    /// In this format, or in the photo's own.
    Stdout(Option<Format>),
}

/// Where the paintings are written, before photos and styles are known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Destination {
    File(PathBuf, AnyFormat),
    Folder(PathBuf, Option<AnyFormat>),
    Stdout(Option<Format>),
}

impl Destination {
    /// The format of a photo's painting. `None` on standard output is the photo's own.
    fn format(&self, source: &PhotoInput) -> Option<Format> {
        match self {
            Self::Stdout(format) => *format,
            Self::File(_, format) => picture(*format),
            Self::Folder(_, format) => {
                let own = source.file().and_then(Format::from_path);
                Some(format.and_then(picture).or(own).unwrap_or_default())
            }
        }
    }

    /// The path of a painting, which has this name in a folder.
    fn path(&self, subfolder: &Path, name: &OsStr) -> PathBuf {
        match self {
            Self::Stdout(_) => PathBuf::from(STANDARD_STREAM),
            Self::File(path, _) => path.clone(),
            Self::Folder(folder, _) => folder.join(subfolder).join(name),
        }
    }

    /// The form in which a source is painted as a video; `None` if it is painted as a photo.
    fn container(&self, source: &PhotoInput) -> Option<Container> {
        let path = source.file()?;
        let is_numbered = is_numbered(path);
        let pictures = Format::from_path(path).filter(|_| is_numbered).map(Container::Pictures);
        let container = match self {
            Self::Stdout(_) => None,
            Self::Folder(_, None) => {
                Some(pictures.or(Container::from_path(path)).unwrap_or(Container::Mp4))
            }
            Self::File(_, AnyFormat::Film(container))
            | Self::Folder(_, Some(AnyFormat::Film(container))) => Some(*container),
            Self::File(path, AnyFormat::Picture(format)) if Numbered::of(path).is_some() => {
                Some(Container::Pictures(*format))
            }
            Self::Folder(_, Some(AnyFormat::Picture(format))) if is_numbered => {
                Some(Container::Pictures(*format))
            }
            Self::File(_, AnyFormat::Picture(format))
            | Self::Folder(_, Some(AnyFormat::Picture(format))) => {
                (*format == Format::WebP).then_some(Container::WebP)
            }
        };
        container.filter(|_| is_film(path) || is_animated(path) || is_numbered)
    }
}

/// Whether it names numbered pictures.
fn is_numbered(path: &Path) -> bool {
    !path.exists() && Numbered::of(path).is_some_and(|pictures| !pictures.numbers().is_empty())
}

/// A video to paint.
#[derive(Debug)]
pub struct FilmInput {
    pub source: PathBuf,
    pub container: Container,
    pub codec: Codec,
    /// The subfolder of the output.
    subfolder: PathBuf,
}

impl FilmInput {
    pub fn name(&self) -> String {
        self.source.display().to_string()
    }

    /// Whether it is encoded with a quality that can be chosen.
    fn is_lossy(&self) -> bool {
        match self.container {
            Container::WebP => true,
            Container::Pictures(format) => format.is_lossy(),
            _ => self.codec.is_lossy(),
        }
    }
}

/// Where the photos and the videos are written, of each its target in each style.
pub type Targets = (Vec<Vec<Target>>, Vec<Vec<PathBuf>>);

/// What `--start`, `--end`, `--fps`, `--codec`, `--hardware` and `--steadiness` say about videos.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FilmChoice {
    pub range: Range,
    /// Frames per second, as a fraction.
    pub fps: Option<(u64, u64)>,
    pub codec: Option<Codec>,
    /// Whether a graphics card encodes if it can.
    pub hardware: bool,
    pub steadiness: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStyle {
    /// A style name or a file of weights.
    pub typed: OsString,
    /// Whether it comes from `all`, so that a failure does not stop the others.
    pub from_all: bool,
}

#[derive(Debug)]
pub struct Job {
    /// The photos, in the order of the paintings.
    pub sources: Vec<PhotoInput>,
    /// The videos, which are painted after the photos.
    pub films: Vec<FilmInput>,
    pub film_choice: FilmChoice,
    /// The styles; `all` is already expanded.
    pub styles: Vec<JobStyle>,
    /// Pictures that together form one more style.
    pub style_pictures: StylePictureArgs,
    /// The network's size, if chosen.
    pub model: Option<ModelSize>,
    /// What the user says about the network of a file.
    pub pixels: PixelChoice,
    pub device: DeviceArgs,
    pub sharing: SharingArgs,
    /// Maximum number of photos of one working size to paint at once.
    pub batch: usize,
    /// Brush size, mode and memory.
    pub paint: PaintSettings,
    /// Whether all paintings of a photo go onto one sheet.
    pub contact_sheet: bool,
    /// Rotation, mirroring and crop of the photos.
    pub framing: Framing,
    pub output_size: OutputSize,
    pub look: Look,
    /// Whether results keep the photo's RGB profile; otherwise they are in sRGB.
    pub keeps_profile: bool,
    /// Whether a painting that exists counts as done.
    pub skips_existing: bool,
    /// Whether a line of JSON is printed for each painting.
    pub as_json: bool,
    pub strips_metadata: bool,
    pub strips_location: bool,
    /// Whether only errors are printed.
    pub is_quiet: bool,
    /// The chosen quality of lossy formats, 1 to 100.
    pub quality: Option<u8>,
    /// Whether existing files are replaced.
    pub existing: Existing,
    /// Notes about the inputs, to print.
    pub notes: Vec<String>,
    destination: Destination,
    /// The subfolder of the output for each photo.
    subfolders: Vec<PathBuf>,
}

impl Job {
    /// Validates the arguments. `style_names` are the names that `all` expands to.
    ///
    /// # Errors
    /// [`CliError::WrongUse`] if arguments contradict each other.
    pub fn new(args: StylizeArgs, style_names: &[String]) -> Result<Self, CliError> {
        let mut styles = Vec::new();
        let mut typed_styles = args.styles;
        if args.contact_sheet && typed_styles.is_empty() && args.pictures.style_pictures.is_empty()
        {
            typed_styles.push(OsString::from(ALL_STYLES));
        }
        for typed in typed_styles {
            if typed == ALL_STYLES {
                styles.extend(
                    style_names
                        .iter()
                        .map(|name| JobStyle { typed: OsString::from(name), from_all: true }),
                );
            } else {
                styles.push(JobStyle { typed, from_all: false });
            }
        }
        let Inputs { sources, subfolders, from_folder, notes } =
            inputs(&args.inputs, &args.output, args.recursive)?;
        let style_count = if args.contact_sheet {
            1
        } else {
            styles.len() + usize::from(!args.pictures.style_pictures.is_empty())
        };
        let several = sources.len() * style_count > 1 || from_folder;
        let destination = destination(&args.output, args.format, several)?;
        if args.json && matches!(destination, Destination::Stdout(_)) {
            return Err(CliError::WrongUse(
                "--json and the image cannot both go to standard output; name a file".to_owned(),
            ));
        }
        let (mut photos, mut photo_folders, mut films) = (Vec::new(), Vec::new(), Vec::new());
        for (source, subfolder) in sources.into_iter().zip(subfolders) {
            match (destination.container(&source), source) {
                (Some(container), PhotoInput::File(source)) => {
                    let codec = args.codec.unwrap_or(container.usual_codec());
                    films.push(FilmInput { source, container, codec, subfolder });
                }
                (_, source) => {
                    photos.push(source);
                    photo_folders.push(subfolder);
                }
            }
        }
        let range = Range { start: args.start, end: args.end };
        let film_choice = FilmChoice {
            range,
            fps: args.fps,
            codec: args.codec,
            hardware: args.hardware,
            steadiness: args.painting.steadiness,
        };
        check_films(&films, &photos, &destination, film_choice, args.contact_sheet)?;
        let paint = PaintSettings {
            working_size: args.working_size.unwrap_or_default(),
            variant: args.painting.variant,
            precision: args.painting.precision,
            attention: args.painting.attention,
            max_memory_bytes: args.max_memory,
            is_deep: args.bit_depth == "16",
            ..PaintSettings::default()
        };
        let look = args.painting.look();
        Ok(Self {
            sources: photos,
            films,
            film_choice,
            styles,
            style_pictures: args.pictures,
            model: args.painting.model,
            pixels: args.pixels.choice(),
            device: args.painting.device,
            sharing: args.sharing,
            batch: usize::from(args.batch),
            paint,
            contact_sheet: args.contact_sheet,
            framing: Framing { rotate: args.rotate, mirror: args.mirror, crop: args.crop },
            output_size: args.output_size,
            look,
            keeps_profile: args.color_profile == ProfileChoice::Keep,
            skips_existing: args.skip_existing,
            as_json: args.json,
            strips_metadata: args.strip_metadata,
            strips_location: args.strip_location,
            is_quiet: args.quiet,
            quality: args.quality,
            existing: if args.force { Existing::Replace } else { Existing::Keep },
            notes,
            destination,
            subfolders: photo_folders,
        })
    }

    /// Whether a photo at strength 0 may be written as it is.
    pub fn keeps_files(&self) -> bool {
        self.look.strength_percent == 0
            && self.quality.is_none()
            && self.framing.is_plain()
            && !self.strips_metadata
            && !self.strips_location
    }

    /// How a painting in this format is encoded.
    pub fn encoding(&self, format: Format) -> Encoding {
        Encoding { quality: self.quality.unwrap_or(DEFAULT_QUALITY), format }
    }

    /// The output folder, if the output is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.destination {
            Destination::Folder(path, _) => Some(path),
            _ => None,
        }
    }

    /// The target of every source in every style. `labels` are the styles' names in file names.
    ///
    /// # Errors
    /// [`CliError::WrongUse`] if a painting would have the name of an input, or a quality or 16 bits are chosen and no
    /// format has them.
    pub fn targets(&self, labels: &[String]) -> Result<Targets, CliError> {
        let files = self.sources.iter().filter_map(PhotoInput::file);
        let files = files.chain(self.films.iter().map(|film| film.source.as_path()));
        // Numbered pictures have no file of their pattern's name.
        let real = |path: &Path| {
            let in_folder = |folder: PathBuf| Some(folder.join(path.file_name()?));
            let folder = || fs::canonicalize(folder_of(path)).ok().and_then(in_folder);
            fs::canonicalize(path).ok().or_else(folder)
        };
        let inputs: HashSet<PathBuf> = files.filter_map(real).collect();
        let mut taken: HashSet<PathBuf> = HashSet::new();
        let mut place = |stem: &OsStr, subfolder: &Path, label: &str, extension: &str| {
            // Sources of one name in different folders get numbers.
            let named =
                |number| self.destination.path(subfolder, &name_of(stem, number, label, extension));
            let path = (1..).map(named).find(|path| !taken.contains(path)).unwrap_or_default();
            // The input may be the only copy, so its painting does not replace it, not even with --force.
            if real(&path).is_some_and(|real| inputs.contains(&real)) {
                return Err(CliError::WrongUse(format!(
                    "{} is one of the inputs and would be overwritten; choose another name or folder with -o",
                    path.display()
                )));
            }
            taken.insert(path.clone());
            Ok(path)
        };
        let mut photos = Vec::new();
        for (source, subfolder) in self.sources.iter().zip(&self.subfolders) {
            let stem = &source.file().map_or("stdin".into(), stem_of);
            let known = self.destination.format(source);
            let format = known.unwrap_or_default();
            let row = labels.iter().map(|label| match self.destination {
                Destination::Stdout(_) => Ok(Target::Stdout(known)),
                _ => Ok(Target::File(place(stem, subfolder, label, format.extension())?, format)),
            });
            photos.push(row.collect::<Result<Vec<_>, CliError>>()?);
        }
        let mut films = Vec::new();
        for FilmInput { source, container, subfolder, .. } in &self.films {
            // Numbered pictures keep the number in their names.
            let stem = match container {
                Container::Pictures(_) => source.file_stem().unwrap_or_default().to_owned(),
                _ => stem_of(source),
            };
            let extension = container.extension();
            let row = labels.iter().map(|label| place(&stem, subfolder, label, extension));
            films.push(row.collect::<Result<Vec<_>, CliError>>()?);
        }
        let has = |property: fn(Format) -> bool| {
            photos.iter().flatten().any(|target| match target {
                Target::File(_, format) | Target::Stdout(Some(format)) => property(*format),
                Target::Stdout(None) => true,
            })
        };
        let wrong = |text: &str| Err(CliError::WrongUse(text.to_owned()));
        let is_lossy = has(Format::is_lossy) || self.films.iter().any(FilmInput::is_lossy);
        if self.quality.is_some() && !is_lossy {
            return wrong(
                "--quality is for JPEG, AVIF, animated WebP and the codecs h264, hevc and av1, and everything here is written \
                 without loss or at a fixed quality; leave it out, or choose another --format or --codec",
            );
        }
        if self.paint.is_deep && !has(Format::has_16_bits) {
            return wrong(
                "--bit-depth 16 is for PNG and TIFF photos, and everything here has 8 bits per channel; leave it out, or choose \
                 another --format",
            );
        }
        Ok((photos, films))
    }
}

fn stem_of(path: &Path) -> OsString {
    match Numbered::of(path).filter(|_| is_numbered(path)) {
        Some(pictures) => pictures.title().to_owned(),
        None => path.file_stem().unwrap_or(path.as_os_str()).to_owned(),
    }
}

/// The name of a painting in a folder; a `number` above 1 tells sources of one name apart.
fn name_of(stem: &OsStr, number: usize, label: &str, extension: &str) -> OsString {
    let mut name = stem.to_owned();
    if number > 1 {
        name.push(format!("-{number}"));
    }
    name.push(format!("-{label}.{extension}"));
    name
}

/// Checks the options for videos.
fn check_films(
    films: &[FilmInput],
    photos: &[PhotoInput],
    destination: &Destination,
    choice: FilmChoice,
    contact_sheet: bool,
) -> Result<(), CliError> {
    let wrong = |text: &str| Err(CliError::WrongUse(text.to_owned()));
    let range = choice.range;
    if let (Destination::File(path, AnyFormat::Film(container)), false) =
        (destination, photos.is_empty())
    {
        return Err(CliError::WrongUse(format!(
            "{} is a file of {}, which is made of a video; a photo needs .png, .jpg or another picture format",
            path.display(),
            container.name()
        )));
    }
    if contact_sheet && !films.is_empty() {
        return wrong("--contact-sheet is for photos; leave videos out");
    }
    if photos.iter().filter_map(PhotoInput::file).any(is_numbered) {
        return wrong(
            "numbered pictures are painted as numbered pictures (frames/%05d.png), as a video or into a folder; give such a name with -o",
        );
    }
    let has_times = |path: &Path| is_film(path) || is_animated(path);
    let is_picked = |photo: &PhotoInput| photo.file().is_some_and(has_times);
    let mut unused = choice;
    if photos.iter().any(is_picked) {
        unused.range.start = None;
    }
    if films.is_empty() && unused != FilmChoice::default() {
        return wrong(
            "--start, --end, --fps, --codec, --hardware and --steadiness are for videos, and none is painted",
        );
    }
    if let (Some(start), Some(end)) = (range.start, range.end)
        && end <= start
    {
        return wrong("--end must be later than --start");
    }
    if films.iter().any(|film| film.container == Container::Pictures(Format::Avif)) {
        return wrong("numbered pictures can be png, jpeg, webp, bmp or tiff, and not avif");
    }
    let check = |film: &FilmInput| film.container.check(film.codec, &film.source);
    films.iter().try_for_each(check).map_err(CliError::wrong_use)
}

struct Inputs {
    sources: Vec<PhotoInput>,
    /// Of each, its folder below the input that was named.
    subfolders: Vec<PathBuf>,
    /// Whether an input was a folder.
    from_folder: bool,
    /// Notes about the inputs, to print.
    notes: Vec<String>,
}

/// Expands the inputs to photos. Files that do not exist stay in the list if there are others; each one fails later with
/// its own message.
/// The folder `output` is left out, so that paintings are not painted again.
fn inputs(inputs: &[PathBuf], output: &Path, recursive: bool) -> Result<Inputs, CliError> {
    let mut sources = Vec::new();
    let (mut subfolders, mut from_folder) = (Vec::new(), false);
    let mut notes = Vec::new();
    for input in inputs {
        if input.as_os_str() == STANDARD_STREAM {
            if sources.contains(&PhotoInput::Stdin) {
                return Err(CliError::WrongUse("standard input is given twice".to_owned()));
            }
            if stdin().is_terminal() {
                return Err(CliError::WrongUse(
                    "standard input is a terminal; pipe an image into it".to_owned(),
                ));
            }
            sources.push(PhotoInput::Stdin);
        } else if input.is_dir() {
            from_folder = true;
            let (photos, of_folder) = pictures_in(input, output, recursive)?;
            for (photo, subfolder) in photos {
                sources.push(PhotoInput::File(photo));
                subfolders.push(subfolder);
            }
            notes.extend(of_folder);
        } else {
            sources.push(PhotoInput::File(input.clone()));
        }
        subfolders.resize(sources.len(), PathBuf::new());
    }
    let is_missing = |source: &PhotoInput| {
        let file = source.file().filter(|path| !is_numbered(path));
        let error = file.and_then(|path| path.metadata().err());
        error.is_some_and(|error| error.kind() == ErrorKind::NotFound)
    };
    if sources.iter().all(is_missing) {
        let names: Vec<_> = sources.iter().map(PhotoInput::name).collect();
        return Err(CliError::WrongUse(format!("no such file: {}", names.join(", "))));
    }
    Ok(Inputs { sources, subfolders, from_folder, notes })
}

/// The photos of a folder, each with its subfolder, and notes about what is left out; `output` is left out silently.
fn pictures_in(
    path: &Path,
    output: &Path,
    recursive: bool,
) -> Result<(Vec<Placed>, Vec<String>), CliError> {
    let name = path.display();
    let listed = if recursive {
        Folder::open_tree(path, Some(output))
    } else {
        Folder::open(path).map(|folder| {
            let folder = folder.with_films();
            let notes = folder.notes(Some(output)).into_iter();
            let notes = notes.map(|note| format!("{name}: {note}")).collect();
            (folder.photos.into_iter().map(|photo| (photo, PathBuf::new())).collect(), notes)
        })
    };
    let (photos, notes): (Vec<_>, Vec<String>) = listed.map_err(|e| {
        CliError::Failed(format!("the folder {name} could not be read: {}", words(&e)))
    })?;
    if photos.is_empty() {
        let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
        return Err(CliError::WrongUse(format!("no images in the folder {name}{notes}")));
    }
    Ok((photos, notes))
}

fn destination(
    output: &Path,
    format: Option<AnyFormat>,
    several: bool,
) -> Result<Destination, CliError> {
    let wrong = |text: String| Err(CliError::WrongUse(text));
    let shown = output.display();
    if output.as_os_str() == STANDARD_STREAM {
        if several {
            return wrong("standard output takes one image; give a folder with -o".to_owned());
        }
        if prints_to_terminal() {
            return wrong(
                "standard output is a terminal; name a file, or pipe the image".to_owned(),
            );
        }
        return match format {
            Some(AnyFormat::Film(_)) => wrong("a video cannot go to standard output".to_owned()),
            Some(AnyFormat::Picture(format)) => Ok(Destination::Stdout(Some(format))),
            None => Ok(Destination::Stdout(None)),
        };
    }
    let named = AnyFormat::from_path(output);
    let ends_as_folder = output
        .as_os_str()
        .as_encoded_bytes()
        .last()
        .is_some_and(|&b| b == b'/' || char::from(b) == MAIN_SEPARATOR);
    if output.is_dir() || ends_as_folder {
        return Ok(Destination::Folder(output.to_owned(), format));
    }
    if several {
        if named.is_some() || output.exists() {
            return wrong(format!(
                "{shown} is a file, and there are several paintings; give a folder with -o"
            ));
        }
        return Ok(Destination::Folder(output.to_owned(), format));
    }
    match (named, format) {
        (Some(named), Some(chosen)) if named != chosen => wrong(format!(
            "{shown} has the extension of {}, but --format is {}",
            named.name(),
            chosen.name()
        )),
        (_, Some(chosen)) => Ok(Destination::File(output.to_owned(), chosen)),
        (Some(named), None) => Ok(Destination::File(output.to_owned(), named)),
        (None, None) => wrong(format!(
            "{shown} has no extension of a supported format; use .png, .jpg, .webp, .bmp, .tiff or .avif, for a video .mp4, .mov, .mkv, .webm, .gif or .apng, add --format, or end the name of a folder with /"
        )),
    }
}

/// The format of a picture; `None` for that of a video.
fn picture(format: AnyFormat) -> Option<Format> {
    match format {
        AnyFormat::Picture(format) => Some(format),
        AnyFormat::Film(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> PhotoInput {
        PhotoInput::File(PathBuf::from(path))
    }

    #[test]
    fn names_in_a_folder() {
        let folder = |format| Destination::Folder(PathBuf::from("out"), format);
        let path = |d: &Destination, s: &PhotoInput| {
            let format = d.format(s).expect("known in a folder");
            let stem = s.file().map_or("stdin".into(), stem_of);
            let name = name_of(&stem, 1, "candy", format.extension());
            (d.path(Path::new(""), &name).display().to_string(), format)
        };
        assert_eq!(
            path(&folder(None), &file("in/a.b.JPG")),
            ("out/a.b-candy.jpg".to_owned(), Format::Jpeg)
        );
        assert_eq!(path(&folder(None), &file("moving.gif")).1, Format::Png);
        assert_eq!(
            path(&folder(Some(AnyFormat::Picture(Format::WebP))), &file("x.png")).0,
            "out/x-candy.webp"
        );
        assert_eq!(path(&folder(None), &PhotoInput::Stdin).0, "out/stdin-candy.png");
    }

    #[test]
    fn where_one_and_where_many_go() {
        let one = destination(Path::new("nowhere/a.tif"), None, false);
        assert_eq!(
            one.expect("a file"),
            Destination::File(PathBuf::from("nowhere/a.tif"), AnyFormat::Picture(Format::Tiff))
        );
        assert!(
            destination(Path::new("a.png"), Some(AnyFormat::Picture(Format::Jpeg)), false).is_err()
        );
        assert!(destination(Path::new("a"), None, false).is_err());
        assert!(destination(Path::new("a"), Some(AnyFormat::Picture(Format::Png)), false).is_ok());
        assert!(destination(Path::new("a.png"), None, true).is_err());
        assert!(destination(Path::new("-"), None, true).is_err());
        let many = destination(Path::new("new-folder"), None, true);
        assert!(matches!(many, Ok(Destination::Folder(..))));
    }
}
