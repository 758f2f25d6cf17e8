//! Where `stylize` writes: to a file, into a folder, or to standard output; and in which form.

use std::{
    ffi::{OsStr, OsString},
    path::{MAIN_SEPARATOR, Path, PathBuf},
};

use super::{
    CliError,
    args::AnyFormat,
    inputs::{PhotoInput, STANDARD_STREAM, is_numbered},
    terminal::stdout_is_terminal,
    wrong_use,
};
use media::film::{Container, Numbered};
use pictures::{
    encode::Format,
    folder::{is_animated, is_film},
};

/// Where the paintings are written, before photos and styles are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub place: Place,
    /// The format that an option or the file's extension chooses; always known for a file.
    pub format: Option<AnyFormat>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    Folder(PathBuf),
    Stdout,
}

/// What a source is painted as.
pub enum Form {
    Film(PathBuf, Container),
    Photo {
        /// `None` on standard output is the photo's own.
        format: Option<Format>,
        /// The extension of a photo that is painted as PNG because its own format is not written: `.heic`.
        unwritten: Option<String>,
    },
}

impl Destination {
    pub fn form(&self, source: &PhotoInput) -> Form {
        let path = source.file();
        if let Some((path, container)) = path.zip(path.and_then(|path| self.container(path))) {
            return Form::Film(path.to_owned(), container);
        }
        let own = path.and_then(Format::from_path);
        let chosen = self.format.and_then(AnyFormat::picture);
        let unwritten = path.filter(|path| chosen.or(own).is_none() && !is_film(path));
        let format = match self.place {
            Place::Stdout => chosen,
            Place::File(_) | Place::Folder(_) => Some(chosen.or(own).unwrap_or_default()),
        };
        let unwritten = unwritten
            .and_then(Path::extension)
            .map(|ending| format!(".{}", ending.display()).to_lowercase());
        Form::Photo { format, unwritten }
    }

    /// The form of a source that is painted as a video; `None` if it is painted as a photo.
    fn container(&self, path: &Path) -> Option<Container> {
        let is_numbered = is_numbered(path);
        let container = match (&self.place, self.format) {
            (Place::Stdout, _) => None,
            (_, Some(AnyFormat::Film(container))) => Some(container),
            (place, Some(AnyFormat::Picture(format))) => {
                let has_numbers = match place {
                    Place::File(output) => Numbered::of(output).is_some(),
                    _ => is_numbered,
                };
                match format {
                    format if has_numbers => Some(Container::Pictures(format)),
                    Format::WebP => Some(Container::WebP),
                    _ => None,
                }
            }
            (_, None) => {
                let pictures =
                    Format::from_path(path).filter(|_| is_numbered).map(Container::Pictures);
                Some(pictures.or(Container::from_path(path)).unwrap_or(Container::Mp4))
            }
        };
        container.filter(|_| is_film(path) || is_animated(path) || is_numbered)
    }

    /// The path of a painting, which has this name in a folder.
    pub fn path(&self, subfolder: &Path, name: &OsStr) -> PathBuf {
        match &self.place {
            Place::Stdout => PathBuf::from(STANDARD_STREAM),
            Place::File(path) => path.clone(),
            Place::Folder(folder) => folder.join(subfolder).join(name),
        }
    }
}

/// The name of a painting in a folder; a `number` above 1 distinguishes sources of one name.
pub fn name_of(stem: &OsStr, number: usize, label: &str, extension: &str) -> OsString {
    let mut name = stem.to_owned();
    if number > 1 {
        name.push(format!("-{number}"));
    }
    name.push(format!("-{label}.{extension}"));
    name
}

pub fn destination(
    output: &Path,
    format: Option<AnyFormat>,
    several: bool,
) -> Result<Destination, CliError> {
    let shown = output.display();
    if output.as_os_str() == STANDARD_STREAM {
        if several {
            return wrong_use(
                "standard output takes one image, and there are several paintings; give a folder with -o, for example -o paintings/",
            );
        }
        if stdout_is_terminal() {
            return wrong_use("standard output is a terminal; name a file, or pipe the image");
        }
        if let Some(AnyFormat::Film(_)) = format {
            return wrong_use("a video cannot go to standard output");
        }
        return Ok(Destination { place: Place::Stdout, format });
    }
    let named = AnyFormat::from_path(output);
    let is_folder = output.is_dir() || ends_as_folder(output);
    if several && !is_folder && (named.is_some() || output.exists()) {
        return wrong_use(format!(
            "several paintings do not fit into one file, {shown}; give a folder instead, for example -o paintings/"
        ));
    }
    if several || is_folder {
        return Ok(Destination { place: Place::Folder(output.to_owned()), format });
    }
    match (named, format) {
        (Some(named), Some(chosen)) if named != chosen => wrong_use(format!(
            "{shown} has the extension of {}, but --format is {}",
            named.name(),
            chosen.name()
        )),
        (None, None) => wrong_use(format!(
            "{shown} has no extension of a supported format; use .png, .jpg, .webp, .bmp or .tiff, for a video .mp4, .mov, .mkv, .webm, .gif or .apng, add --format, or end the name of a folder with /"
        )),
        _ => Ok(Destination { place: Place::File(output.to_owned()), format: format.or(named) }),
    }
}

/// True if a path ends in a separator, so that it can only mean a folder.
pub fn ends_as_folder(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .last()
        .is_some_and(|&b| b == b'/' || char::from(b) == MAIN_SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::{super::inputs::stem_of, *};

    fn file(path: &str) -> PhotoInput {
        PhotoInput::File(PathBuf::from(path))
    }

    #[test]
    fn names_in_a_folder() {
        let folder = |format| Destination { place: Place::Folder(PathBuf::from("out")), format };
        let path = |d: &Destination, s: &PhotoInput| {
            let Form::Photo { format: Some(format), .. } = d.form(s) else {
                panic!("known in a folder");
            };
            let stem = s.file().map_or("stdin".into(), stem_of);
            let name = name_of(&stem, 1, "candy", format.extension());
            (d.path(Path::new(""), &name).display().to_string(), format)
        };
        assert_eq!(
            path(&folder(None), &file("in/a.b.JPG")),
            ("out/a.b-candy.jpg".to_owned(), Format::Jpeg)
        );
        assert_eq!(path(&folder(None), &file("photo.heic")).1, Format::Png);
        assert_eq!(
            path(&folder(Some(AnyFormat::Picture(Format::WebP))), &file("x.png")).0,
            "out/x-candy.webp"
        );
        assert_eq!(path(&folder(None), &PhotoInput::Stdin).0, "out/stdin-candy.png");
    }

    #[test]
    fn photos_whose_format_is_not_written_become_png() {
        let folder = |format| Destination { place: Place::Folder(PathBuf::from("out")), format };
        let unwritten = |d: &Destination, name: &str| match d.form(&file(name)) {
            Form::Photo { unwritten, .. } => unwritten,
            Form::Film(..) => panic!("a photo"),
        };
        assert_eq!(unwritten(&folder(None), "a.HEIC").as_deref(), Some(".heic"));
        assert_eq!(unwritten(&folder(None), "a.jpg"), None);
        assert_eq!(unwritten(&folder(Some(AnyFormat::Picture(Format::Png))), "a.heic"), None);
    }

    #[test]
    fn destinations_of_one_and_of_many_inputs() {
        let one = destination(Path::new("nowhere/a.tif"), None, false);
        assert_eq!(
            one.expect("a file"),
            Destination {
                place: Place::File(PathBuf::from("nowhere/a.tif")),
                format: Some(AnyFormat::Picture(Format::Tiff))
            }
        );
        assert!(
            destination(Path::new("a.png"), Some(AnyFormat::Picture(Format::Jpeg)), false).is_err()
        );
        assert!(destination(Path::new("a"), None, false).is_err());
        assert!(destination(Path::new("a"), Some(AnyFormat::Picture(Format::Png)), false).is_ok());
        assert!(destination(Path::new("a.png"), None, true).is_err());
        assert!(destination(Path::new("-"), None, true).is_err());
        let many = destination(Path::new("new-folder"), None, true);
        assert!(matches!(many, Ok(Destination { place: Place::Folder(_), .. })));
    }
}
