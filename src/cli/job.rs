//! The validated job of `stylize`: all inputs are found and all output paths are known.
//!
//! This is the second validation of the arguments; `args` has checked each one individually. It only looks at which
//! files and folders exist.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    io::{IsTerminal, stdin},
    path::{MAIN_SEPARATOR, Path, PathBuf},
};

use super::{
    CliError,
    args::{AnyFormat, DeviceArgs, ProfileChoice, StylePictureArgs, StylizeArgs},
    terminal::prints_to_terminal,
};
use crate::{
    compose::Look,
    disk::words,
    engine::paint::{OutputSize, PaintSettings},
    film::{Codec, Container, Range},
    media::{
        encode::{DEFAULT_QUALITY, Encoding, Existing, Format},
        folder::{Folder, Placed, is_film, may_be_animated},
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
    /// The form in which a source is painted as a video; `None` if it is painted as a photo.
    fn container(&self, source: &PhotoInput) -> Option<Container> {
        let PhotoInput::File(path) = source else {
            return None;
        };
        let moves = is_film(path) || may_be_animated(path);
        match self {
            Self::File(_, format) | Self::Folder(_, Some(format)) => match format {
                AnyFormat::Film(container) => moves.then_some(*container),
                AnyFormat::Picture(Format::WebP) => moves.then_some(Container::WebP),
                AnyFormat::Picture(_) => None,
            },
            Self::Folder(_, None) if is_film(path) => {
                Some(Container::from_path(path).unwrap_or(Container::Mp4))
            }
            _ => None,
        }
    }
}

/// A video to paint.
#[derive(Debug)]
pub struct FilmInput {
    pub source: PathBuf,
    pub container: Container,
    /// The subfolder of the output.
    subfolder: PathBuf,
}

/// What `--start`, `--end`, `--fps`, `--codec` and `--steadiness` say about videos.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmChoice {
    pub range: Range,
    /// Frames per second.
    pub fps: Option<u32>,
    pub codec: Option<Codec>,
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
                    films.push(FilmInput { source, container, subfolder });
                }
                (_, source) => {
                    photos.push(source);
                    photo_folders.push(subfolder);
                }
            }
        }
        let range = Range { start: args.start, end: args.end };
        let steadiness = args.painting.steadiness;
        let film_choice = FilmChoice { range, fps: args.fps, codec: args.codec, steadiness };
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
    /// [`CliError::WrongUse`] if two paintings would have the same name, one would have the name of a photo, or a quality
    /// or 16 bits are chosen and no format has them.
    pub fn targets(&self, labels: &[String]) -> Result<Vec<Vec<Target>>, CliError> {
        let mut taken: HashSet<PathBuf> = HashSet::new();
        // The photo may be the only copy, so its painting does not replace it, not even with --force.
        let photos: HashSet<PathBuf> = (self.sources.iter())
            .filter_map(|source| match source {
                PhotoInput::File(path) => fs::canonicalize(path).ok(),
                PhotoInput::Stdin => None,
            })
            .collect();
        let mut all = Vec::new();
        for (source, subfolder) in self.sources.iter().zip(&self.subfolders) {
            let mut row = Vec::new();
            for label in labels {
                // Photos of one name in different folders get numbers.
                let target = (1..)
                    .map(|number| target(&self.destination, source, subfolder, label, number))
                    .find(
                        |target| !matches!(target, Target::File(path, _) if taken.contains(path)),
                    );
                let Some(target) = target else {
                    continue;
                };
                if let Target::File(path, _) = &target
                    && fs::canonicalize(path).is_ok_and(|real| photos.contains(&real))
                {
                    return Err(CliError::WrongUse(format!(
                        "{} is one of the input photos and would be overwritten; choose another name or folder with -o",
                        path.display()
                    )));
                }
                if let Target::File(path, _) = &target {
                    taken.insert(path.clone());
                }
                row.push(target);
            }
            all.push(row);
        }
        let formats = all.iter().flatten().filter_map(|target| match target {
            Target::File(_, format) | Target::Stdout(Some(format)) => Some(*format),
            Target::Stdout(None) => None,
        });
        let formats: Vec<Format> = formats.collect();
        let none =
            |has: fn(Format) -> bool| formats.first().filter(|_| !formats.iter().any(|f| has(*f)));
        let has_films = !self.films.is_empty();
        if let Some(format) =
            none(Format::is_lossy).filter(|_| self.quality.is_some() && !has_films)
        {
            return Err(CliError::WrongUse(format!(
                "--quality is for JPEG and AVIF, and {format} is written without loss; leave it out, or choose another --format"
            )));
        }
        if let Some(format) = none(Format::has_16_bits).filter(|_| self.paint.is_deep) {
            return Err(CliError::WrongUse(format!(
                "--bit-depth 16 is for PNG and TIFF, and {format} has 8 bits per channel; leave it out, or choose another --format"
            )));
        }
        Ok(all)
    }
}

impl Job {
    /// The output of a video in the style called `label`.
    ///
    /// # Errors
    /// [`CliError::WrongUse`] if it would replace the video.
    pub fn film_target(&self, film: &FilmInput, label: &str) -> Result<PathBuf, CliError> {
        let target = match &self.destination {
            Destination::Folder(folder, _) => {
                let stem = film.source.file_stem().unwrap_or(film.source.as_os_str());
                let mut name = stem.to_owned();
                name.push(format!("-{label}.{}", film.container.extension()));
                folder.join(&film.subfolder).join(name)
            }
            Destination::File(path, _) => path.clone(),
            Destination::Stdout(_) => {
                return Err(CliError::WrongUse("a video cannot go to standard output".to_owned()));
            }
        };
        let real = fs::canonicalize(&target).ok();
        if real.is_some() && real == fs::canonicalize(&film.source).ok() {
            return Err(CliError::WrongUse(format!(
                "{} is the video itself; choose another name with -o",
                target.display()
            )));
        }
        Ok(target)
    }
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
    let FilmChoice { range, fps, codec, steadiness } = choice;
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
    let is_chosen = range != Range::default() || fps.is_some() || codec.is_some();
    if films.is_empty() && (is_chosen || steadiness.is_some()) {
        return wrong(
            "--start, --end, --fps, --codec and --steadiness are for videos, and none is painted",
        );
    }
    if let (Some(start), Some(end)) = (range.start, range.end)
        && end <= start
    {
        return wrong("--end must be later than --start");
    }
    for film in films {
        if let Some(codec) = codec {
            film.container.check(codec, &film.source).map_err(CliError::wrong_use)?;
        }
    }
    Ok(())
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

/// Expands the inputs to photos. Files that do not exist stay in the list; each one fails later with its own message.
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

/// The target of a photo in a style; a `number` above 1 tells photos of one name apart.
fn target(
    destination: &Destination,
    source: &PhotoInput,
    subfolder: &Path,
    label: &str,
    number: usize,
) -> Target {
    match destination {
        Destination::Stdout(format) => Target::Stdout(*format),
        Destination::File(path, format) => {
            Target::File(path.clone(), picture(*format).unwrap_or_default())
        }
        Destination::Folder(folder, format) => {
            let (stem, own) = match source {
                PhotoInput::File(path) => (
                    path.file_stem().unwrap_or(path.as_os_str()).to_owned(),
                    Format::from_path(path),
                ),
                PhotoInput::Stdin => (OsString::from("stdin"), None),
            };
            let format = format.and_then(picture).or(own).unwrap_or_default();
            let mut name = stem;
            if number > 1 {
                name.push(format!("-{number}"));
            }
            name.push(format!("-{label}.{}", format.extension()));
            Target::File(folder.join(subfolder).join(name), format)
        }
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
        let path = |d: &Destination, s: &PhotoInput| match target(d, s, Path::new(""), "candy", 1) {
            Target::File(path, format) => (path.display().to_string(), format),
            Target::Stdout(_) => panic!("not a file"),
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
