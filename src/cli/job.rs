//! The validated job of `stylize`: all inputs are found and all output paths are known.
//!
//! This is the second validation of the arguments; `args` has checked each one individually. It only looks at which
//! files and folders exist.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

pub use super::inputs::PhotoInput;

use super::{
    CliError,
    args::{AnyFormat, DeviceArgs, ProfileChoice, SharingArgs, StylePictureArgs, StylizeArgs},
    destination::{Destination, destination, name_of},
    inputs::{Inputs, inputs, is_numbered, stem_of},
};
use crate::{
    compose::Look,
    disk::folder_of,
    engine::paint::{OutputSize, PaintSettings},
    film::{Codec, Container, Range},
    media::{
        encode::{DEFAULT_QUALITY, Encoding, Existing, Format},
        folder::{is_animated, is_film},
        framing::Framing,
    },
    mode::ModelSize,
    weights::{ALL_STYLES, PixelChoice},
};

/// Where a painting is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    File(PathBuf, Format),
    /// In this format, or in the photo's own.
    Stdout(Option<Format>),
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
