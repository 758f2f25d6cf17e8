//! The boxes of HEIF files, AVIF and HEIC (ISO/IEC 23008-12 and 14496-12): which images a file contains, where their
//! data is, and how they are shown.
//!
//! Pure, and decodes no pixels. Every list is bounded by the bytes of the file; malformed boxes end a walk.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use image::metadata::Orientation;

use super::color::profile_of;

/// Maximum parts in which the data of all items are stored.
const MAX_EXTENTS: usize = 1 << 16;
/// Maximum properties of an item; of one that is searched, only this many bytes count.
const MAX_PROPERTIES: usize = 64;
const MAX_SEARCHED: usize = 64;

/// A box: its type and its content.
type Box<'a> = ([u8; 4], &'a [u8]);

/// What the numbers of an image mean (ITU-T H.273).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodePoints {
    pub primaries: u8,
    pub transfer: u8,
    pub matrix: u8,
    pub is_full_range: bool,
}

/// How an image is stored and shown, from its properties.
#[derive(Default)]
pub(super) struct Image<'a> {
    /// Width and height as stored.
    pub size: Option<(u32, u32)>,
    icc: Option<&'a [u8]>,
    pub points: Option<CodePoints>,
    /// Maximum bits of a channel.
    pub depth: Option<u8>,
    /// AV1 samples have more than 8 bits; there is only luma.
    pub av1: Option<(bool, bool)>,
    /// Fractions: width, height, and the offset of the centre.
    crop: Option<[(i64, i64); 4]>,
    /// Quarter turns anticlockwise, after mirroring.
    quarters: u8,
    /// Left and right are exchanged.
    is_mirrored: bool,
    /// It is the transparency of another image.
    is_alpha: bool,
}

/// An image, or data about one.
#[derive(Default)]
pub(super) struct Item {
    pub kind: [u8; 4],
    is_in_idat: bool,
    extents: Vec<(u64, u64)>,
    /// Indices of its properties, in the order in which they apply.
    properties: Vec<usize>,
}

/// An image made of equal tiles, row by row.
pub(super) struct Grid {
    pub columns: usize,
    pub width: u32,
    pub height: u32,
    pub tiles: Vec<u32>,
}

/// The items of a file.
#[derive(Default)]
pub(super) struct Heif<'a> {
    bytes: &'a [u8],
    left_extents: usize,
    idat: &'a [u8],
    pub primary: u32,
    items: BTreeMap<u32, Item>,
    properties: Vec<Box<'a>>,
    /// Type, source and targets.
    references: Vec<([u8; 4], u32, Vec<u32>)>,
}

/// The brands that a file declares.
pub(super) fn brands(bytes: &[u8]) -> impl Iterator<Item = &[u8; 4]> {
    let length = number(bytes, 0..4).filter(|_| bytes.get(4..8) == Some(b"ftyp")).unwrap_or(0);
    let end = (length as usize).min(bytes.len());
    // Between the first brand and the others is a version.
    bytes
        .get(8..end)
        .unwrap_or_default()
        .as_chunks::<4>()
        .0
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != 1)
        .map(|(_, brand)| brand)
}

impl<'a> Heif<'a> {
    /// Reads the boxes. `None` if there is no primary image.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let meta = boxes(bytes).find(|(kind, _)| kind == b"meta")?.1.get(4..)?;
        let mut heif = Self { bytes, left_extents: MAX_EXTENTS, ..Self::default() };
        for (kind, content) in boxes(meta) {
            match &kind {
                b"pitm" => heif.primary = Fields::of(content)?.id()?,
                b"iinf" => heif.read_kinds(content)?,
                b"iloc" => heif.read_places(content)?,
                b"idat" => heif.idat = content,
                b"iref" => heif.read_references(content)?,
                b"iprp" => heif.read_properties(content)?,
                _ => {}
            }
        }
        heif.items.contains_key(&heif.primary).then_some(heif)
    }

    pub fn file_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub fn item(&self, id: u32) -> Option<&Item> {
        self.items.get(&id)
    }

    pub fn image(&self, id: u32) -> Image<'a> {
        let mut image = Image::default();
        for &index in self.item(id).into_iter().flat_map(|item| &item.properties) {
            // An invalid property is left out.
            self.properties.get(index).and_then(|property| image.add(*property));
        }
        image
    }

    /// The item's data; `None` if it is not all in the file.
    pub fn data(&self, id: u32) -> Option<Cow<'a, [u8]>> {
        let item = self.item(id)?;
        let source = if item.is_in_idat { self.idat } else { self.bytes };
        let part = |&(start, length): &(u64, u64)| {
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            // Length 0 means all of a source.
            if length == 0 { source.get(start..) } else { source.get(start..end) }
        };
        if let [only] = item.extents.as_slice() {
            return part(only).map(Cow::Borrowed);
        }
        let mut whole = Vec::new();
        for extent in &item.extents {
            let part = part(extent)?;
            if whole.len() + part.len() > source.len() {
                return None;
            }
            whole.extend_from_slice(part);
        }
        (!whole.is_empty()).then_some(Cow::Owned(whole))
    }

    /// The tiles of an image of type `grid`.
    pub fn grid(&self, id: u32) -> Option<Grid> {
        let data = self.data(id)?;
        let side = if data.get(1)? & 1 == 0 { 2 } else { 4 };
        let [rows, columns] = [2, 3].map(|at| data.get(at).map(|less| usize::from(*less) + 1));
        let width = number(&data, 4..4 + side)? as u32;
        let height = number(&data, 4 + side..4 + 2 * side)? as u32;
        let tiles = self.targets(b"dimg", id)?.to_vec();
        (tiles.len() == rows? * columns?).then_some(Grid {
            columns: columns?,
            width,
            height,
            tiles,
        })
    }

    /// The image with the transparency of an image.
    pub fn alpha_of(&self, id: u32) -> Option<u32> {
        self.sources(b"auxl", id).find(|&from| self.image(from).is_alpha)
    }

    /// True if colours are multiplied by their alpha.
    pub fn is_premultiplied(&self, id: u32) -> bool {
        self.targets(b"prem", id).is_some()
    }

    /// The primary image's EXIF data.
    pub fn exif(&self) -> Option<Vec<u8>> {
        exif_of_box(&self.description(b"Exif")?)
    }

    /// The primary image's XMP packet.
    pub fn xmp(&self) -> Option<Vec<u8>> {
        self.description(b"mime").map(Cow::into_owned)
    }

    /// The data of an item of this type that describes the primary image.
    fn description(&self, kind: &[u8; 4]) -> Option<Cow<'a, [u8]>> {
        let of_kind = |from: &u32| self.item(*from).is_some_and(|item| item.kind == *kind);
        self.sources(b"cdsc", self.primary).find(of_kind).and_then(|from| self.data(from))
    }

    fn targets(&self, kind: &[u8; 4], from: u32) -> Option<&[u32]> {
        self.references
            .iter()
            .find(|(k, f, _)| k == kind && *f == from)
            .map(|(_, _, to)| to.as_slice())
    }

    fn sources(&self, kind: &[u8; 4], to: u32) -> impl Iterator<Item = u32> {
        self.references
            .iter()
            .filter(move |(k, _, t)| k == kind && t.contains(&to))
            .map(|(_, from, _)| *from)
    }

    fn read_kinds(&mut self, content: &[u8]) -> Option<()> {
        let mut fields = Fields::of(content)?;
        fields.id()?;
        for (_, entry) in boxes(fields.rest).filter(|(kind, _)| kind == b"infe") {
            let mut fields = Fields::of(entry)?;
            // Versions 0 and 1 have no types; they are for files that are not images.
            if fields.version >= 2 {
                let id = fields.next(if fields.version == 2 { 2 } else { 4 })? as u32;
                fields.next(2)?;
                let kind = (fields.next(4)? as u32).to_be_bytes();
                self.items.entry(id).or_default().kind = kind;
            }
        }
        Some(())
    }

    fn read_places(&mut self, content: &[u8]) -> Option<()> {
        let mut fields = Fields::of(content)?;
        let sizes = fields.next(2)?;
        let [offset, length, base, index] =
            [12, 8, 4, 0].map(|shift| (sizes >> shift & 15) as usize);
        let index = if fields.version == 0 { 0 } else { index };
        let wide = if fields.version < 2 { 2 } else { 4 };
        for _ in 0..fields.next(wide)? {
            let id = fields.next(wide)? as u32;
            let method = if fields.version == 0 { 0 } else { fields.next(2)? & 15 };
            fields.next(2)?;
            let start = fields.next(base)?;
            let count = fields.next(2)? as usize;
            self.left_extents = self.left_extents.checked_sub(count)?;
            let mut extents = Vec::new();
            for _ in 0..count {
                fields.next(index)?;
                let offset = fields.next(offset)?;
                extents.push((start.checked_add(offset)?, fields.next(length)?));
            }
            // Method 2, from another item, is not used by images.
            if method < 2 {
                let item = self.items.entry(id).or_default();
                item.is_in_idat = method == 1;
                item.extents = extents;
            }
        }
        Some(())
    }

    fn read_references(&mut self, content: &[u8]) -> Option<()> {
        let Fields { version, rest } = Fields::of(content)?;
        for (kind, rest) in boxes(rest) {
            let mut fields = Fields { version, rest };
            let from = fields.id()?;
            let count = fields.next(2)?;
            let to: Option<Vec<u32>> = (0..count).map(|_| fields.id()).collect();
            self.references.push((kind, from, to?));
        }
        Some(())
    }

    fn read_properties(&mut self, content: &'a [u8]) -> Option<()> {
        for (kind, content) in boxes(content) {
            match &kind {
                b"ipco" => self.properties = boxes(content).collect(),
                b"ipma" => {
                    let flags = number(content, 1..4)?;
                    let mut fields = Fields::of(content)?;
                    for _ in 0..fields.next(4)? {
                        let id = fields.id()?;
                        for _ in 0..fields.next(1)? {
                            let (bytes, mask) =
                                if flags & 1 == 0 { (1, 0x7f) } else { (2, 0x7fff) };
                            // Counted from 1; 0 means no property. The highest bit marks essential ones.
                            let index = fields.next(bytes)? as usize & mask;
                            let properties = &mut self.items.entry(id).or_default().properties;
                            properties.extend(index.checked_sub(1));
                            if properties.len() > MAX_PROPERTIES {
                                return None;
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        Some(())
    }
}

impl<'a> Image<'a> {
    fn add(&mut self, (kind, content): Box<'a>) -> Option<()> {
        let long = |at: usize| number(content, at..at + 4).map(|n| n as u32);
        let fraction = |at: usize| Some((i64::from(long(at)? as i32), i64::from(long(at + 4)?)));
        let byte = |at: usize| content.get(at).copied();
        let short = |at: usize| number(content, at..at + 2).map(|n| n.min(255) as u8);
        match &kind {
            b"ispe" => self.size = Some((long(4)?, long(8)?)),
            b"irot" => {
                let more = byte(0)? & 3;
                self.quarters += if self.is_mirrored { 4 - more } else { more };
            }
            b"imir" => {
                let is_sideways = byte(0)? & 1 == 1;
                self.is_mirrored ^= true;
                // Exchanging top and bottom is exchanging left and right, and half a turn.
                self.quarters += if is_sideways { 0 } else { 2 };
            }
            b"auxC" => {
                let kind = content.get(4..content.len().min(MAX_SEARCHED))?;
                self.is_alpha = kind.windows(5).any(|word| word == b"alpha");
            }
            b"pixi" => {
                self.depth = content.get(5..content.len().min(MAX_SEARCHED))?.iter().max().copied();
            }
            // AV1-ISOBMFF, 2.3.3.
            b"av1C" => self.av1 = byte(2).map(|flags| (flags & 0x40 != 0, flags & 0x10 != 0)),
            b"clap" => self.crop = Some([fraction(0)?, fraction(8)?, fraction(16)?, fraction(24)?]),
            b"colr" => match content.get(..4)? {
                b"prof" | b"rICC" => self.icc = content.get(4..),
                b"nclx" => {
                    self.points = Some(CodePoints {
                        primaries: short(4)?,
                        transfer: short(6)?,
                        matrix: short(8)?,
                        is_full_range: byte(10)? & 0x80 != 0,
                    });
                }
                _ => {}
            },
            _ => {}
        }
        self.quarters %= 4;
        Some(())
    }

    /// The ICC profile, or one for the code points; `None` for sRGB.
    pub fn profile(&self) -> Option<Vec<u8>> {
        let of_points = || self.points.and_then(|p| profile_of(p.primaries, p.transfer));
        self.icc.map(<[u8]>::to_vec).or_else(of_points)
    }

    /// How the image is turned after it is decoded.
    pub fn orientation(&self) -> Orientation {
        // EXIF's numbers of these.
        let numbers = if self.is_mirrored { [2, 7, 4, 5] } else { [1, 8, 3, 6] };
        let number = numbers[usize::from(self.quarters)];
        Orientation::from_exif(number).unwrap_or(Orientation::NoTransforms)
    }

    /// The part that is shown: columns and rows; all of it if the file's crop is invalid.
    pub fn shown(&self) -> Option<(Range<u32>, Range<u32>)> {
        let (width, height) = self.size?;
        let all = (0..width, 0..height);
        let Some([w, h, x, y]) = self.crop else {
            return Some(all);
        };
        let span = |side: u32, (n, d): (i64, i64), (offset_n, offset_d): (i64, i64)| {
            let length = n.checked_div(d).filter(|length| *length > 0 && n % d == 0)?;
            // The centre is `offset` from the centre of the image.
            let twice = 2 * offset_n.checked_div(offset_d)? + (i64::from(side) - length);
            let start = u32::try_from(twice / 2).ok()?;
            let end = start.checked_add(u32::try_from(length).ok()?)?;
            (end <= side).then_some(start..end)
        };
        let spans = span(width, w, x).zip(span(height, h, y));
        Some(spans.unwrap_or(all))
    }
}

/// EXIF data without the offset of their start.
pub(super) fn exif_of_box(content: &[u8]) -> Option<Vec<u8>> {
    let start = number(content, 0..4)? as usize;
    content.get(4..)?.get(start..).map(<[u8]>::to_vec)
}

/// The boxes in `bytes`. The last one may be cut.
pub fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = Box<'_>> {
    std::iter::from_fn(move || {
        let short = number(bytes, 0..4)?;
        let kind = *bytes.get(4..8)?.first_chunk()?;
        let (head, length) = match short {
            0 => (8, bytes.len() as u64),
            1 => (16, number(bytes, 8..16)?),
            length => (8, length),
        };
        let end = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
        let content = bytes.get(head..end)?;
        bytes = &bytes[end..];
        Some((kind, content))
    })
}

/// A big-endian number; `None` if it is not in `bytes`.
pub fn number(bytes: &[u8], range: Range<usize>) -> Option<u64> {
    let digits = bytes.get(range).filter(|digits| digits.len() <= 8)?;
    Some(digits.iter().fold(0, |number, &digit| number << 8 | u64::from(digit)))
}

/// The fields of a box that starts with a version and flags.
struct Fields<'a> {
    version: u8,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(content: &'a [u8]) -> Option<Self> {
        Some(Self { version: *content.first()?, rest: content.get(4..)? })
    }

    fn next(&mut self, bytes: usize) -> Option<u64> {
        let value = number(self.rest, 0..bytes)?;
        self.rest = &self.rest[bytes..];
        Some(value)
    }

    /// The number of an item or a count of items, in a box whose version says its width.
    fn id(&mut self) -> Option<u32> {
        self.next(if self.version == 0 { 2 } else { 4 }).map(|id| id as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    }

    /// A file with one item and these boxes.
    fn file(more: &[Vec<u8>]) -> Vec<u8> {
        let item = boxed(b"infe", b"\x02\0\0\0\0\x01\0\0av01");
        let items = boxed(b"iinf", &[&[0, 0, 0, 0, 0, 1][..], &item].concat());
        let primary = boxed(b"pitm", &[0, 0, 0, 0, 0, 1]);
        boxed(b"meta", &[&[0; 4][..], &primary, &items, &more.concat()].concat())
    }

    #[test]
    fn an_item_has_few_properties_however_many_lists_name_them() {
        let list = |count: u8| {
            let entry = [&[0, 1, count][..], &vec![1; usize::from(count)]].concat();
            boxed(b"ipma", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &entry].concat())
        };
        let has = |lists: &[u8]| {
            let lists: Vec<Vec<u8>> = lists.iter().map(|&count| list(count)).collect();
            Heif::read(&file(&[boxed(b"iprp", &lists.concat())])).is_some()
        };
        assert!(has(&[64]) && has(&[32, 32]));
        assert!(!has(&[65]) && !has(&[32, 33]));
    }

    #[test]
    fn parts_without_bytes_of_their_own_are_counted_over_all_lists() {
        let list = boxed(b"iloc", b"\0\0\0\0\0\0\0\x01\0\x01\0\0\x80\0");
        let has = |count: usize| Heif::read(&file(&vec![list.clone(); count])).is_some();
        assert!(has(2));
        assert!(!has(3));
    }
}
