//! The validated job of `stylize`: all inputs are found and all output paths are known.
//!
//! This is the second validation of the arguments; `args` has checked each one individually. It only looks at which
//! files and folders exist.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use super::inputs::PhotoInput;

use super::{
    CliError,
    args::{AnyFormat, StylizeArgs},
    destination::{Destination, Form, Place, destination, name_of},
    inputs::{Inputs, STANDARD_STREAM, inputs, is_numbered, stem_of, watched},
    wrong_use,
};
use engine::{
    Mask, Stylization,
    paint::{PaintSettings, WorkingSize},
};
use media::{
    film::{Codec, Container, Numbered},
    framing::Framing,
    memory::limit_bytes,
};
use pictures::{
    decode,
    encode::{DEFAULT_QUALITY, Encoding, Existing, Format},
    folder::{is_animated, is_film},
};
use values::disk::folder_of;
use weights::ALL_STYLES;

/// A painting of a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is called in file names, after the photo's name.
    pub label: String,
    /// `None` is standard output.
    pub file: Option<PathBuf>,
    /// `None` is the photo's own.
    pub format: Option<Format>,
}

impl Target {
    /// The file, or `-` for standard output.
    pub fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(STANDARD_STREAM))
    }
}

/// A photo to paint.
#[derive(Debug)]
pub struct PhotoSource {
    pub input: PhotoInput,
    /// The format of its paintings; `None` is its own.
    format: Option<Format>,
    /// The subfolder of the output.
    subfolder: PathBuf,
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

    /// True if it is encoded with a quality that can be chosen.
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStyle {
    /// A style name or a file of weights.
    pub typed: OsString,
    /// It comes from `all`, so that a failure does not stop the others.
    pub from_all: bool,
}

#[derive(Debug)]
pub struct Job {
    pub args: StylizeArgs,
    /// The photos, in the order of the paintings.
    pub sources: Vec<PhotoSource>,
    /// The videos, which are painted after the photos.
    pub films: Vec<FilmInput>,
    /// The styles; `all` is already expanded.
    pub styles: Vec<JobStyle>,
    /// How everything is painted, still without a network.
    pub stylization: Stylization<WorkingSize>,
    /// Its run, and memory.
    pub paint: PaintSettings,
    /// Rotation, mirroring and crop of the photos.
    pub framing: Framing,
    /// What happens to existing files.
    pub existing: Existing,
    /// Notes about the inputs, to print.
    pub notes: Vec<String>,
    destination: Destination,
}

/// The mask in a picture file.
fn mask(path: &Path, args: &StylizeArgs) -> Result<Mask, CliError> {
    if is_film(path) {
        let name = path.display();
        return wrong_use(format!("{name} is a video; a mask is a picture"));
    }
    let name = format!("the mask {}", path.display());
    let picture = decode::bytes_of_path(path)
        .and_then(|bytes| decode::from_bytes_within(&name, &bytes, limit_bytes(args.max_memory)))
        .map_err(CliError::wrong_use)?;
    Ok(Mask::of(&picture.frame, args.mask_invert))
}

impl Job {
    /// Validates the arguments. `style_names` are the names that `all` expands to.
    ///
    /// # Errors
    /// [`CliError::WrongUse`] if arguments contradict each other.
    pub fn new(args: StylizeArgs, style_names: &[String]) -> Result<Self, CliError> {
        let look = args.styling_look();
        // A style that is not in the list.
        let has_other = !args.pictures.style_pictures.is_empty() || look.is_some();
        let mut typed_styles = args.styles.clone();
        if args.contact_sheet && typed_styles.is_empty() && !has_other {
            typed_styles.push(OsString::from(ALL_STYLES));
        }
        let mut styles = Vec::new();
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
        let Inputs { sources, from_folder, notes } = if args.watch {
            watched(&args)?
        } else {
            inputs(&args.inputs, &args.output, args.recursive)?
        };
        let style_count =
            if args.contact_sheet { 1 } else { styles.len() + usize::from(has_other) };
        let several = sources.len() * style_count > 1 || from_folder;
        let destination = destination(&args.output, args.format, several)?;
        if args.json && destination.place == Place::Stdout {
            return wrong_use(
                "--json and the image cannot both go to standard output; name a file",
            );
        }
        let of_look = args.painting.look.as_ref().map(|look| look.painted.detail);
        let working_size = args.working_size.or(of_look).unwrap_or_default();
        let mask = args.mask.as_deref().map(|path| mask(path, &args)).transpose()?;
        let is_black = mask.as_ref().is_some_and(Mask::is_black);
        let stylization =
            Stylization { mask: mask.map(Arc::new), ..args.painting.stylization(working_size) };
        let paint = PaintSettings {
            max_memory_bytes: args.max_memory,
            is_deep: args.bit_depth == "16",
            ..stylization.paint_settings()
        };
        let existing = if args.force { Existing::Replace } else { Existing::Keep };
        let framing = Framing { rotate: args.rotate, mirror: args.mirror, crop: args.crop };
        let mut job = Self {
            sources: Vec::new(),
            films: Vec::new(),
            styles,
            stylization,
            paint,
            framing,
            existing,
            notes: Vec::new(),
            destination,
            args,
        };
        job.take(Inputs { sources, from_folder, notes })?;
        if is_black {
            job.notes.push("the mask is black everywhere, so nothing is painted".to_owned());
        }
        Ok(job)
    }

    /// Paints these inputs instead of those before.
    ///
    /// # Errors
    /// [`CliError::WrongUse`] if options do not suit them.
    pub fn take(&mut self, found: Inputs) -> Result<(), CliError> {
        let Inputs { sources, from_folder, mut notes } = found;
        let args = &self.args;
        let (mut photos, mut films, mut unwritten) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (input, subfolder) in sources {
            match self.destination.form(&input) {
                Form::Film(source, _) if args.contact_sheet && from_folder => notes.push(format!(
                    "{} is left out, because a contact sheet is for photos",
                    source.display()
                )),
                Form::Film(source, container) => {
                    let codec = args.codec.unwrap_or(container.usual_codec());
                    films.push(FilmInput { source, container, codec, subfolder });
                }
                Form::Photo { format, unwritten: ending } => {
                    unwritten.extend(ending);
                    photos.push(PhotoSource { input, format, subfolder });
                }
            }
        }
        check_films(args, &films, &photos, &self.destination)?;
        if !unwritten.is_empty() {
            let endings = Vec::from_iter(unwritten).join(", ");
            notes.push(format!(
                "paintings of {endings} photos are written as PNG; choose another format with --format"
            ));
        }
        (self.sources, self.films, self.notes) = (photos, films, notes);
        Ok(())
    }

    /// True if a photo at strength 0 may be written as it is.
    pub fn keeps_files(&self) -> bool {
        self.stylization.look.strength_percent == 0
            && self.args.quality.is_none()
            && self.framing.is_plain()
            && !self.args.strip_metadata
            && !self.args.strip_location
    }

    /// True if interlaced video becomes whole frames.
    pub fn deinterlaces(&self) -> bool {
        self.args.deinterlace == "auto"
    }

    /// How a painting in this format is encoded.
    pub fn encoding(&self, format: Format) -> Encoding {
        let quality = self.args.quality.unwrap_or(DEFAULT_QUALITY);
        Encoding { quality, format, background: self.args.background }
    }

    /// The output folder, if the output is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.destination.place {
            Place::Folder(path) => Some(path),
            _ => None,
        }
    }

    /// The target of every source in every style; none for a source that is itself the painting of another one, made
    /// before. `labels` are the styles' names in file names; `taken` are the paintings of earlier sources, to which
    /// these are added.
    ///
    /// # Errors
    /// [`CliError::WrongUse`] if a painting would have the name of an input, or a quality or 16 bits are chosen and no
    /// format has them.
    pub fn targets(
        &self,
        labels: &[String],
        taken: &mut HashSet<PathBuf>,
    ) -> Result<Targets, CliError> {
        let photos = self.sources.iter().filter_map(|photo| photo.input.file());
        let films = self.films.iter().flat_map(|film| match Numbered::of(&film.source) {
            Some(pictures) if is_numbered(&film.source) => pictures.paths().collect(),
            _ => vec![film.source.clone()],
        });
        // Where a path leads, and its own place, in which there may be a link or nothing.
        let real = |path: &Path| {
            let in_folder = |folder: PathBuf| Some(folder.join(path.file_name()?));
            let own = fs::canonicalize(folder_of(path)).ok().and_then(in_folder);
            fs::canonicalize(path).ok().into_iter().chain(own)
        };
        let files = photos.map(Path::to_owned).chain(films);
        let inputs: HashSet<PathBuf> = files.flat_map(|file| real(&file)).collect();
        // Numbered pictures have many names, each of which may be that of an input.
        let is_input = |path: &PathBuf| {
            let is_one = |pictures: Numbered| inputs.iter().any(|input| pictures.has(input));
            inputs.contains(path) || Numbered::of(path).is_some_and(is_one)
        };
        let mut paintings: HashSet<PathBuf> = HashSet::new();
        let skips_existing = self.args.skip_existing && self.folder().is_some();
        let mut place = |stem: &OsStr, subfolder: &Path, label: &str, extension: &str| {
            // Sources of one name in different folders get numbers.
            let named =
                |number| self.destination.path(subfolder, &name_of(stem, number, label, extension));
            let path = (1..).map(named).find(|path| !taken.contains(path)).unwrap_or_default();
            // The input may be the only copy, so its painting does not replace it, not even with --force.
            if real(&path).any(|path| is_input(&path)) {
                if !skips_existing || !path.exists() {
                    return wrong_use(format!(
                        "{} is one of the inputs and would be overwritten; choose another name or folder with -o, or keep \
                         existing paintings in a folder with --skip-existing",
                        path.display()
                    ));
                }
                paintings.extend(real(&path));
            }
            taken.insert(path.clone());
            Ok(path)
        };
        let mut photos = Vec::new();
        for PhotoSource { input, format, subfolder } in &self.sources {
            let stem = &input.file().map_or("stdin".into(), stem_of);
            let extension = format.unwrap_or_default().extension();
            let row = labels.iter().map(|label| {
                let file = match self.destination.place {
                    Place::Stdout => None,
                    _ => Some(place(stem, subfolder, label, extension)?),
                };
                Ok(Target { label: label.clone(), file, format: *format })
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
        let is_painting = |file: &Path| real(file).any(|path| paintings.contains(&path));
        for (photo, row) in self.sources.iter().zip(&mut photos) {
            row.retain(|_| !photo.input.file().is_some_and(is_painting));
        }
        for (film, row) in self.films.iter().zip(&mut films) {
            row.retain(|_| !is_painting(&film.source));
        }
        let has = |property: fn(Format) -> bool| {
            photos.iter().flatten().any(|target| target.format.is_none_or(property))
        };
        let is_lossy = has(Format::is_lossy) || self.films.iter().any(FilmInput::is_lossy);
        // What arrives later may have them.
        if self.args.watch {
            return Ok((photos, films));
        }
        if self.args.quality.is_some() && !is_lossy {
            return wrong_use(
                "--quality is for JPEG, animated WebP and the codecs h264, hevc and av1, and everything here is written \
                 without loss or at a fixed quality; leave it out, or choose another --format or --codec",
            );
        }
        if self.paint.is_deep && !has(Format::has_16_bits) {
            return wrong_use(
                "--bit-depth 16 is for PNG and TIFF photos, and everything here has 8 bits per channel; leave it out, or choose \
                 another --format",
            );
        }
        Ok((photos, films))
    }
}

/// Checks the options for videos.
fn check_films(
    args: &StylizeArgs,
    films: &[FilmInput],
    photos: &[PhotoSource],
    destination: &Destination,
) -> Result<(), CliError> {
    if let (Place::File(path), Some(AnyFormat::Film(container)), Some(photo)) =
        (&destination.place, destination.format, photos.first())
    {
        let advice = match photo.input {
            PhotoInput::Stdin => "give the name of a video's file instead",
            PhotoInput::File(_) => "a photo needs .png, .jpg or another image format",
        };
        return wrong_use(format!(
            "{} is the name of a video ({}), and {} is not one; {advice}",
            path.display(),
            container.name(),
            photo.input.name()
        ));
    }
    if args.contact_sheet && (photos.is_empty() || !films.is_empty()) {
        return wrong_use("--contact-sheet is for photos; leave videos out");
    }
    let files = || photos.iter().filter_map(|photo| photo.input.file());
    if files().any(is_numbered) {
        return wrong_use(
            "numbered pictures are painted as numbered pictures (frames/%05d.png), as a video or into a folder; give such a name with -o",
        );
    }
    // A picture and a style can show the frame of a video at --start.
    let of_styles = args.pictures.style_pictures.iter().map(|picture| picture.path.as_path());
    let is_start_unused = !files().chain(of_styles).any(|path| is_film(path) || is_animated(path));
    let of_videos = [
        ("--start", args.start.is_some() && is_start_unused),
        ("--end", args.end.is_some()),
        ("--fps", args.fps.is_some()),
        ("--deinterlace", args.deinterlace == "off" && is_start_unused),
        ("--codec", args.codec.is_some()),
        ("--hardware", args.hardware),
        ("--steadiness", args.painting.steadiness.is_some()),
    ];
    let mut unused = of_videos.iter().filter(|(_, is_unused)| *is_unused);
    if let Some((name, _)) = unused.next().filter(|_| films.is_empty() && !args.watch) {
        return wrong_use(format!("{name} is for videos, and none is painted"));
    }
    if args.end.is_some_and(|end| end <= args.start.unwrap_or(0.0)) {
        return wrong_use("--end must be later than --start, which is 0 if it is not given");
    }
    let check = |film: &FilmInput| film.container.check(film.codec, &film.source);
    films.iter().try_for_each(check).map_err(CliError::wrong_use)
}
