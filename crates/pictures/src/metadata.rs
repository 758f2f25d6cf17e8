//! What a file says about its photo: EXIF, XMP, IPTC and the resolution. Paintings get a copy of it.

use super::{foreign::Opened, format::Format, kind::Kind, png_info::png_info};

/// Maximum bytes of each part.
const MAX_BYTES: usize = 1 << 20;

/// Maximum bytes of metadata in a segment of a JPEG, with room for their names.
pub(super) const SEGMENT_BYTES: usize = 65_000;

const X_RESOLUTION: u16 = 282;
const Y_RESOLUTION: u16 = 283;
const RESOLUTION_UNIT: u16 = 296;
const EXIF: u16 = 34_665;
/// Directories of EXIF, of places and of compatibility, in the first one or in each other.
const POINTERS: [u16; 3] = [EXIF, 34_853, INTEROPERABILITY];
const MAX_LEVEL: usize = 2;
/// The last of these, which names the colour space in another way.
const INTEROPERABILITY: u16 = 40_965;
const COLOR_SPACE: u16 = 40_961;
/// How attributes and elements of XMP start that belong to a gain map (Ultra HDR 1.1, and Apple's).
const OF_GAIN_MAP: [&str; 7] = [
    " xmlns:hdrgm=",
    " hdrgm:",
    " xmlns:HDRGainMap=",
    " HDRGainMap:",
    "<hdrgm:",
    "<HDRGainMap:",
    "<Container:Directory",
];
/// Maximum number of them.
const MAX_OF_GAIN_MAP: usize = 32;
/// Only programs of the camera's maker can read it, and it may contain a picture of the photo.
const MAKER_NOTE: u16 = 37_500;
const INCH: u16 = 2;
const CENTIMETER: u32 = 3;
/// Bytes of each type of value (TIFF 6.0, section 2), from 1 on.
const TYPE_BYTES: [usize; 12] = [1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];
/// Starts of the data sets of IPTC, and of a block of Photoshop that contains them.
const IPTC_START: u8 = 0x1c;
const IPTC_BLOCK: &[u8] = b"8BIM\x04\x04";

/// The metadata of a photo, as far as they apply to its painting: upright, and without thumbnails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Starts with the header of a TIFF.
    pub(super) exif: Option<Vec<u8>>,
    pub(super) xmp: Option<Vec<u8>>,
    /// Data sets.
    pub(super) iptc: Option<Vec<u8>>,
    /// Pixels per inch.
    pub(super) dpi: Option<u16>,
}

impl Metadata {
    /// Reads them. Damaged ones are left out.
    pub(super) fn read(opened: &mut Opened<'_>, format: Kind, bytes: &[u8]) -> Self {
        let small = |data: Option<Vec<u8>>| data.filter(|data| data.len() <= MAX_BYTES);
        let exif = match format {
            Kind::Tiff => copied(bytes, true),
            _ => opened.exif.take().and_then(|exif| copied(&exif, true)),
        };
        let xmp = small(opened.xmp.take()).and_then(upright_xmp).and_then(without_gain_map);
        let iptc = small(opened.iptc.take()).and_then(|data| data_sets(&data));
        let of_file = match format {
            Kind::Jpeg => jfif_dpi(bytes),
            Kind::Png => png_dpi(bytes),
            Kind::Tiff => Directory::first(bytes).and_then(|first| first.dpi()),
            _ => None,
        };
        let of_exif = || Directory::first(exif.as_deref()?)?.dpi();
        Self { dpi: of_file.or_else(of_exif), exif, xmp, iptc }
    }

    /// Sets the resolution in pixels per inch, that in EXIF too.
    pub fn set_dpi(&mut self, dpi: u16) {
        self.dpi = Some(dpi);
        let Some(exif) = &mut self.exif else {
            return;
        };
        let Some(first) = Directory::first(exif) else {
            return;
        };
        let value = [usize::from(dpi), 1].map(|number| first.bytes_of_long(number)).concat();
        let unit = first.ordered(INCH.to_le_bytes()).to_vec();
        let of = [X_RESOLUTION, Y_RESOLUTION].map(|tag| (tag, &value));
        let writes: Vec<_> = of
            .into_iter()
            .chain([(RESOLUTION_UNIT, &unit)])
            .filter_map(|(tag, new)| Some((first.place(first.entry(tag)?)?, new)))
            .filter(|((_, length), new)| *length == new.len())
            .collect();
        for ((start, length), new) in writes {
            exif[start..start + length].copy_from_slice(new);
        }
    }

    /// Keeps only what says nothing about where the photo was taken, and returns a note if more than that may be lost.
    pub fn strip_location(&mut self) -> Option<String> {
        self.exif = self.exif.take().and_then(|exif| copied(&exif, false));
        self.iptc = self.iptc.take().map(|iptc| without_place(&iptc)).filter(|i| !i.is_empty());
        // Any program may write a place into it under any name, in any encoding.
        let had_xmp = self.xmp.take().is_some();
        had_xmp.then(|| "its XMP metadata may contain a place and are left out".to_owned())
    }

    /// The texts of EXIF's first directory, such as the copyright, with their tags.
    pub(super) fn texts(&self) -> Vec<(u16, &[u8])> {
        let first = self.exif.as_deref().and_then(Directory::first);
        first.map_or_else(Vec::new, |first| {
            let text = |entry| {
                let (tag, kind) = (first.word(entry)?, first.word(entry + 2)?);
                Some((tag, first.value(entry)?)).filter(|_| kind == 2)
            };
            first.entries().filter_map(text).collect()
        })
    }

    /// True if EXIF contains nothing but texts and the resolution.
    fn is_text(&self) -> bool {
        let first = self.exif.as_deref().and_then(Directory::first);
        first.is_none_or(|first| {
            let is_text = |entry: usize| first.word(entry + 2) == Some(2);
            first.entries().all(|entry| is_text(entry) || first.is_resolution(entry))
        })
    }

    /// A note on the metadata that are not written to files of this format.
    pub(super) fn left_out(&self, format: Format) -> Option<String> {
        let has_exif = match format {
            Format::Png | Format::Jpeg | Format::WebP => true,
            Format::Tiff => self.is_text(),
            Format::Bmp => false,
        };
        let has_xmp = matches!(format, Format::Png | Format::Jpeg | Format::WebP | Format::Tiff);
        let has_iptc = matches!(format, Format::Jpeg | Format::Tiff);
        let is_short = |data: &Vec<u8>| format != Format::Jpeg || data.len() < SEGMENT_BYTES;
        let parts = [
            ("EXIF", &self.exif, has_exif),
            ("XMP", &self.xmp, has_xmp),
            ("IPTC", &self.iptc, has_iptc),
        ];
        let lost = parts
            .iter()
            .filter(|(_, data, can)| data.as_ref().is_some_and(|data| !can || !is_short(data)));
        let names: Vec<&str> = lost.map(|(name, ..)| *name).collect();
        let what = if format == Format::Tiff { "except for its texts " } else { "" };
        (!names.is_empty()).then(|| {
            format!("{} metadata {what}cannot be written to {format}", names.join(" and "))
        })
    }

    /// The IPTC data as a segment of a JPEG contains them.
    pub(super) fn iptc_segment(&self) -> Option<Vec<u8>> {
        let iptc = self.iptc.as_ref()?;
        let length = (iptc.len() as u32).to_be_bytes();
        let padding = vec![0; iptc.len() % 2];
        let head = [&b"Photoshop 3.0\0"[..], IPTC_BLOCK, &[0, 0], &length].concat();
        Some([head, iptc.clone(), padding].concat())
    }
}

/// A directory of TIFF or EXIF (TIFF 6.0, section 2). Values outside of the data are missing.
struct Directory<'a> {
    bytes: &'a [u8],
    is_little: bool,
    /// Offset of the number of entries.
    start: usize,
}

impl<'a> Directory<'a> {
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let is_little = bytes.starts_with(b"II*\0");
        if !is_little && !bytes.starts_with(b"MM\0*") {
            return None;
        }
        let header = Self { bytes, is_little, start: 0 };
        let start = header.long(4)? as usize;
        header.at(start)
    }

    /// The directory at an offset; `None` if it is not all in the data.
    fn at(&self, start: usize) -> Option<Self> {
        let directory = Self { start, ..*self };
        let end = start.checked_add(2 + 12 * usize::from(directory.word(start)?) + 4)?;
        (end <= self.bytes.len()).then_some(directory)
    }

    /// Offsets of the entries.
    fn entries(&self) -> impl Iterator<Item = usize> {
        let count = self.word(self.start).map_or(0, usize::from);
        let first = self.start + 2;
        (0..count).map(move |index| first + 12 * index)
    }

    fn entry(&self, tag: u16) -> Option<usize> {
        self.entries().find(|&entry| self.word(entry) == Some(tag))
    }

    /// Offset and length of an entry's value.
    fn place(&self, entry: usize) -> Option<(usize, usize)> {
        let kind = usize::from(self.word(entry + 2)?);
        let of_one = TYPE_BYTES.get(kind.checked_sub(1)?)?;
        let length = of_one.checked_mul(self.long(entry + 4)? as usize)?;
        let start = if length <= 4 { entry + 8 } else { self.long(entry + 8)? as usize };
        (start.checked_add(length)? <= self.bytes.len()).then_some((start, length))
    }

    fn value(&self, entry: usize) -> Option<&'a [u8]> {
        let (start, length) = self.place(entry)?;
        self.bytes.get(start..start + length)
    }

    /// The value of an entry with one number.
    fn number(&self, tag: u16) -> Option<u32> {
        let entry = self.entry(tag)?;
        match self.word(entry + 2)? {
            3 => self.word(entry + 8).map(u32::from),
            _ => self.long(entry + 8),
        }
    }

    fn dpi(&self) -> Option<u16> {
        let (start, length) = self.place(self.entry(X_RESOLUTION)?)?;
        let (count, of) = (self.long(start)?, self.long(start + 4)?);
        let per_unit = f64::from(count) / f64::from(of);
        let is_metric = self.number(RESOLUTION_UNIT) == Some(CENTIMETER);
        let dpi = if is_metric { per_unit * 2.54 } else { per_unit };
        (length == 8 && of > 0).then(|| usable(dpi)).flatten()
    }

    fn word(&self, at: usize) -> Option<u16> {
        let raw = self.bytes.get(at..)?.first_chunk()?;
        Some(u16::from_le_bytes(self.ordered(*raw)))
    }

    fn long(&self, at: usize) -> Option<u32> {
        let raw = self.bytes.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes(self.ordered(*raw)))
    }

    /// Swaps the bytes of a number between the order of the data and the lowest first.
    fn ordered<const N: usize>(&self, mut raw: [u8; N]) -> [u8; N] {
        if !self.is_little {
            raw.reverse();
        }
        raw
    }

    fn is_resolution(&self, entry: usize) -> bool {
        matches!(self.word(entry), Some(X_RESOLUTION | Y_RESOLUTION | RESOLUTION_UNIT))
    }

    fn bytes_of_long(&self, value: usize) -> [u8; 4] {
        self.ordered((value as u32).to_le_bytes())
    }

    /// Appends a copy of what applies to a painting, with the directories that it points to, and returns its offset.
    /// `level` is the number of directories above it. Damaged and too large values are left out.
    fn copy(&self, to: &mut Vec<u8>, level: usize, keeps_place: bool) -> usize {
        let mut entries = Vec::new();
        for tag in POINTERS {
            // Paintings are in sRGB.
            let is_kept = tag == EXIF || keeps_place && tag != INTEROPERABILITY;
            let entry = self.entry(tag).filter(|_| level < MAX_LEVEL && is_kept);
            let pointer = entry.and_then(|entry| self.long(entry + 8));
            if let (Some(entry), Some(inner)) = (entry, pointer.and_then(|at| self.at(at as usize)))
            {
                let start = inner.copy(to, level + 1, keeps_place);
                entries.push((tag, entry, Some(start)));
            }
        }
        for entry in self.entries() {
            let tag = self.word(entry).unwrap_or_default();
            let is_kept = match level {
                0 => is_general(tag) && (keeps_place || !is_free_text(tag)),
                _ if tag == COLOR_SPACE => self.number(tag) == Some(1),
                _ => tag != MAKER_NOTE && (keeps_place || is_of_camera(tag)),
            };
            let value = self.value(entry).filter(|_| is_kept && !POINTERS.contains(&tag));
            let Some(value) = value.filter(|value| to.len() + value.len() <= MAX_BYTES) else {
                continue;
            };
            let start = (value.len() > 4).then_some(to.len());
            if start.is_some() {
                to.extend(value);
                to.resize(to.len().next_multiple_of(2), 0);
            }
            entries.push((tag, entry, start));
        }
        entries.sort_by_key(|(tag, ..)| *tag);
        let start_of_copy = to.len();
        to.extend(self.ordered((entries.len() as u16).to_le_bytes()));
        for (_, entry, start) in entries {
            to.extend(&self.bytes[entry..entry + 8]);
            match start {
                Some(start) => to.extend(self.bytes_of_long(start)),
                None => to.extend(&self.bytes[entry + 8..entry + 12]),
            }
        }
        // No directory follows.
        to.extend([0; 4]);
        start_of_copy
    }
}

/// The tags of the first directory that describe a photo, and not how its pixels are stored. Without the orientation,
/// because paintings are upright.
fn is_general(tag: u16) -> bool {
    matches!(
        tag,
        // Document, description, make, model, resolution, page, program, time, artist, computer.
        269..=272 | 282 | 283 | 285 | 296 | 305 | 306 | 315 | 316
        // Rating, copyright, and texts of Windows.
        | 18_246 | 18_249 | 33_432 | 40_091..=40_095
    )
}

/// The general tags with texts of any kind: document, page, description, and comment, keywords and subject of Windows.
fn is_free_text(tag: u16) -> bool {
    matches!(tag, 269 | 270 | 285 | 40_092 | 40_094 | 40_095)
}

/// The tags of EXIF's own directory that say how and when a photo was taken, without time zones, the user's comment, the
/// image's and the camera's numbers and what is not known.
fn is_of_camera(tag: u16) -> bool {
    matches!(
        tag,
        33_434 | 33_437 | 34_850..=34_852 | 34_855 | 34_856 | 34_864..=34_869
        // Versions, dates, components; apertures, distances, light; parts of seconds.
        | 36_864..=36_868 | 37_121 | 37_122 | 37_377..=37_386 | 37_396 | 37_520..=37_522
        // Colours and sizes; sensor, exposure and scene; lens, gamma.
        | 40_960..=40_963 | 41_483..=41_495 | 41_728..=41_730 | 41_985..=41_996
        | 42_034..=42_036 | 42_240
    )
}

/// A copy of what EXIF or a TIFF says about a photo, as far as it applies to its painting: without thumbnails.
/// `keeps_place`: with the place. `None` if it says nothing, or is damaged.
fn copied(data: &[u8], keeps_place: bool) -> Option<Vec<u8>> {
    let tiff = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
    let first = Directory::first(tiff)?;
    let mut copy = tiff[..8].to_vec();
    let start = first.copy(&mut copy, 0, keeps_place);
    copy[4..8].copy_from_slice(&first.bytes_of_long(start));
    let copied = Directory::first(&copy)?;
    let says_something = copied.entries().any(|entry| !copied.is_resolution(entry));
    (says_something && copy.len() <= MAX_BYTES).then_some(copy)
}

/// Resets the orientation in an XMP packet; `None` if the packet contains a thumbnail.
fn upright_xmp(mut xmp: Vec<u8>) -> Option<Vec<u8>> {
    if contains(&xmp, "Thumbnails") || contains(&xmp, "GImg") {
        return None;
    }
    for start in ["tiff:Orientation=\"", "tiff:Orientation='", "<tiff:Orientation>"] {
        let found = xmp.windows(start.len()).position(|part| part == start.as_bytes());
        if let Some(digit) = found.and_then(|at| xmp.get_mut(at + start.len())) {
            *digit = if digit.is_ascii_digit() { b'1' } else { *digit };
        }
    }
    Some(xmp)
}

/// True if an XMP packet says that the file has a gain map, from which displays make HDR.
pub(super) fn promises_gain_map(xmp: &[u8]) -> bool {
    contains(xmp, "hdrgm") || contains(xmp, "GainMap")
}

/// Removes a gain map from an XMP packet; `None` if it is mentioned in an unknown way.
fn without_gain_map(xmp: Vec<u8>) -> Option<Vec<u8>> {
    if !promises_gain_map(&xmp) {
        return Some(xmp);
    }
    let mut text = String::from_utf8(xmp).ok()?;
    for _ in 0..MAX_OF_GAIN_MAP {
        let found = OF_GAIN_MAP.iter().find_map(|start| Some((text.find(start)?, start)));
        let Some((at, start)) = found else { break };
        let rest = &text[at..];
        let length = if start.starts_with('<') {
            let name = rest[1..].split([' ', '>', '/', '\n']).next()?;
            let end = format!("</{name}>");
            rest.find(&end)? + end.len()
        } else {
            let open = rest.find(['"', '\''])?;
            let quote = char::from(rest.as_bytes()[open]);
            open + 2 + rest[open + 1..].find(quote)?
        };
        text.replace_range(at..at + length, "");
    }
    Some(text.into_bytes()).filter(|xmp| !promises_gain_map(xmp))
}

/// True if EXIF says that the colours are those of Adobe RGB: by DCF 2.0, or as some cameras do.
pub(super) fn is_adobe_rgb(exif: &[u8]) -> bool {
    let found = || {
        let first = Directory::first(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))?;
        let inner = |of: &Directory<'_>, tag| first.at(of.long(of.entry(tag)? + 8)? as usize);
        let exif = inner(&first, EXIF)?;
        if exif.number(COLOR_SPACE)? == 2 {
            return Some(true);
        }
        let names = inner(&exif, INTEROPERABILITY).or_else(|| inner(&first, INTEROPERABILITY))?;
        let name = names.value(names.entry(1)?)?;
        Some(exif.number(COLOR_SPACE)? == 0xffff && name.starts_with(b"R03"))
    };
    found().unwrap_or(false)
}

/// The IPTC data sets, alone or in a block of Photoshop.
fn data_sets(data: &[u8]) -> Option<Vec<u8>> {
    if data.first() == Some(&IPTC_START) {
        return Some(data.to_vec());
    }
    let at = data.windows(IPTC_BLOCK.len()).position(|part| part == IPTC_BLOCK)?;
    // A name with its length, padded to an even number of bytes.
    let name = at + IPTC_BLOCK.len();
    let length_at = name + (usize::from(*data.get(name)?) + 2) / 2 * 2;
    let length = u32::from_be_bytes(*data.get(length_at..)?.first_chunk()?) as usize;
    data.get(length_at + 4..)?.get(..length).map(<[u8]>::to_vec)
}

/// The IPTC data sets that name no place (IPTC-IIM 4.2, record 2): title, urgency, categories, dates, authors, headline,
/// credit, source, copyright and orientation. Stops at a damaged or very long one.
fn without_place(data: &[u8]) -> Vec<u8> {
    let (mut rest, mut kept) = (data, Vec::new());
    while let Some(&[IPTC_START, record, set, high, low]) = rest.first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((whole, after)) = rest.split_at_checked(5 + length) else {
            break;
        };
        let is_kept = match record {
            // The encoding of the texts.
            1 => set == 90,
            2 => matches!(
                set,
                0 | 3
                    | 5
                    | 7
                    | 10
                    | 15
                    | 30
                    | 35
                    | 55
                    | 60
                    | 62
                    | 63
                    | 65
                    | 70
                    | 80
                    | 85
                    | 105
                    | 110
                    | 115
                    | 116
                    | 130
                    | 131
                    | 135
            ),
            _ => false,
        };
        if is_kept {
            kept.extend(whole);
        }
        rest = after;
    }
    kept
}

fn contains(data: &[u8], word: &str) -> bool {
    data.windows(word.len()).any(|part| part == word.as_bytes())
}

/// A resolution that a file can contain.
fn usable(dpi: f64) -> Option<u16> {
    Some(dpi.round() as u16).filter(|dpi| (1..u16::MAX).contains(dpi))
}

/// The resolution in a JFIF header (ITU-T T.871, 10.1), which is the first segment.
fn jfif_dpi(jpeg: &[u8]) -> Option<u16> {
    let header = jpeg.get(6..18).filter(|header| header.starts_with(b"JFIF\0"))?;
    let across = f64::from(u16::from_be_bytes([header[8], header[9]]));
    match header[7] {
        1 => usable(across),
        2 => usable(across * 2.54),
        _ => None,
    }
}

/// The resolution that a PNG declares.
fn png_dpi(png: &[u8]) -> Option<u16> {
    let dimensions = png_info(png)?.pixel_dims?;
    let is_metric = dimensions.unit == png::Unit::Meter;
    usable(f64::from(dimensions.xppu) * 0.0254).filter(|_| is_metric)
}

/// What a file contains in addition to its pixels.
pub(super) struct Header<'a> {
    /// The profile; `None` for sRGB.
    pub icc: Option<Vec<u8>>,
    pub metadata: &'a Metadata,
    /// Keywords and texts, only for PNG and JPEG.
    pub texts: &'a [(&'a str, String)],
    /// Columns and rows.
    pub size: (u32, u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXIF with an orientation, a copyright, a place and a thumbnail.
    fn exif() -> Vec<u8> {
        let mut data = b"Exif\0\0MM\0*\0\0\0\x08".to_vec();
        data.extend(b"\0\x03\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
        data.extend(b"\x82\x98\0\x02\0\0\0\x06\0\0\0\x32\x88\x25\0\x04\0\0\0\x01\0\0\0\x38");
        data.extend(b"\0\0\0\x52(c) J\0");
        data.extend(b"\0\x01\0\x01\0\x02\0\0\0\x08\0\0\0\x4a\0\0\0\0NORTHERN");
        data.extend(b"\0\x02\x02\x01\0\x04\0\0\0\x01\0\0\0\x70\x02\x02\0\x04\0\0\0\x01\0\0\0\x05");
        data.extend(b"\0\0\0\0smallest");
        data
    }

    #[test]
    fn a_painting_is_upright_and_has_no_thumbnail_of_the_photo() {
        let cleaned = copied(&exif(), true).expect("valid");
        let first = Directory::first(&cleaned).expect("valid");
        assert_eq!(first.entry(274), None, "the orientation");
        assert_eq!(cleaned[cleaned.len() - 4..], [0; 4], "no other directory");
        assert!(contains(&cleaned, "(c) J") && contains(&cleaned, "NORTHERN"));
        assert!(!contains(&cleaned, "small"));
        let metadata = Metadata { exif: Some(cleaned), ..Metadata::default() };
        assert_eq!(metadata.texts(), [(33_432, &b"(c) J\0"[..])]);
    }

    #[test]
    fn a_place_is_removed_with_its_values() {
        let exif = copied(&exif(), true);
        let xmp = Some("<photoshop:State>".encode_utf16().flat_map(u16::to_be_bytes).collect());
        let sets = |sets: &[(u8, &str)]| -> Vec<u8> {
            let set = |&(number, text): &(u8, &str)| {
                [&[IPTC_START, 2, number, 0, text.len() as u8], text.as_bytes()].concat()
            };
            sets.iter().flat_map(set).collect()
        };
        let iptc = sets(&[(5, "a title"), (90, "a city"), (120, "in the city"), (116, "(c) J")]);
        // Record 1 contains the encoding, and may contain the place of a sender.
        let encoding = b"\x1c\x01\x5a\0\x03\x1b%G";
        let iptc = Some([&encoding[..], b"\x1c\x01\x32\0\x01x", &iptc].concat());
        let mut metadata = Metadata { exif, xmp, iptc, dpi: None };
        assert!(metadata.strip_location().is_some_and(|note| note.contains("XMP")));
        let kept = [&encoding[..], &sets(&[(5, "a title"), (116, "(c) J")])].concat();
        assert_eq!(metadata.iptc, Some(kept));
        assert_eq!(Metadata::default().strip_location(), None);
        let exif = metadata.exif.expect("kept");
        assert!(contains(&exif, "(c) J") && !contains(&exif, "NORTHERN"));
        let first = Directory::first(&exif).expect("valid");
        assert_eq!(first.entries().count(), 1, "the copyright");
        assert_eq!(metadata.xmp, None);
    }

    #[test]
    fn a_resolution_replaces_that_of_exif() {
        let mut exif = b"II*\0\x08\0\0\0\x02\0".to_vec();
        exif.extend(b"\x1a\x01\x05\0\x01\0\0\0\x26\0\0\0\x28\x01\x03\0\x01\0\0\0\x03\0\0\0");
        exif.extend(b"\0\0\0\0\x48\0\0\0\x01\0\0\0");
        let dpi = |exif: &[u8]| Directory::first(exif).and_then(|first| first.dpi());
        assert_eq!(dpi(&exif), Some(183), "72 per centimetre");
        let mut metadata = Metadata { exif: Some(exif), ..Metadata::default() };
        metadata.set_dpi(300);
        assert_eq!([metadata.dpi, metadata.exif.as_deref().and_then(dpi)], [Some(300); 2]);
    }

    #[test]
    fn damaged_data_do_not_panic() {
        let whole = exif();
        for at in 0..whole.len() {
            for value in [0, 1, 8, 0x7f, 0xff] {
                let mut data = whole.clone();
                data[at] = value;
                let mut metadata =
                    Metadata { exif: Some(data[6..].to_vec()), ..Metadata::default() };
                metadata.set_dpi(300);
                if let Some(cleaned) = copied(&data, true) {
                    assert!(cleaned.len() <= 2 * whole.len());
                    copied(&cleaned, false);
                }
            }
            copied(&whole[..at], true);
            data_sets(&whole[at..]);
            png_dpi(&whole[at..]);
            jfif_dpi(&whole[at..]);
        }
    }

    #[test]
    fn iptc_goes_into_a_segment_and_comes_back() {
        let iptc = Some(b"\x1c\x02\x74\0\x03(c)".to_vec());
        let metadata = Metadata { iptc: iptc.clone(), ..Metadata::default() };
        let segment = metadata.iptc_segment().expect("a segment");
        assert_eq!(data_sets(&segment[14..]), iptc);
        assert_eq!(data_sets(b"8BIM"), None);
    }

    #[test]
    fn xmp_promises_no_gain_map() {
        let about = "<rdf:Description rdf:about='' dc:title=\"a\"";
        let directory =
            "<Container:Directory><rdf:li Item:Semantic=\"GainMap\"/></Container:Directory>";
        for (xmp, left) in [
            (format!("{about}>"), Some(format!("{about}>"))),
            (
                format!("{about} xmlns:hdrgm='h' hdrgm:Version=\"1.0\">{directory}<x/>"),
                Some(format!("{about}><x/>")),
            ),
            (
                format!("{about}><hdrgm:Version>1.0</hdrgm:Version></rdf:Description>"),
                Some(format!("{about}></rdf:Description>")),
            ),
            (format!("{about} HDRGainMap:HDRGainMapVersion='65536'/>"), Some(format!("{about}/>"))),
            (format!("{about} hdrgm:Version="), None),
            (format!("{about} a:Semantic='GainMap'/>"), None),
            (" hdrgm:a=''".repeat(MAX_OF_GAIN_MAP + 1), None),
        ] {
            let found = without_gain_map(xmp.clone().into_bytes());
            let found = found.map(|xmp| String::from_utf8(xmp).expect("text"));
            assert_eq!(found, left, "{xmp}");
        }
    }

    #[test]
    fn the_orientation_of_xmp_is_reset() {
        let xmp = b"<rdf tiff:Orientation=\"6\">".to_vec();
        assert_eq!(upright_xmp(xmp), Some(b"<rdf tiff:Orientation=\"1\">".to_vec()));
        assert_eq!(upright_xmp(b"<xmp:Thumbnails>".to_vec()), None);
    }
}
