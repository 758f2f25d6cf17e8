//! The protobuf wire format: fields with a number, a kind and a content.
//!
//! Texts and packed numbers are borrowed from the file. A list or a struct is charged to the file's budget before it is
//! allocated, because a field of two bytes may become a struct of two hundred. Every byte is read once per enclosing
//! message, and messages are at most [`MAX_DEPTH`] levels deep. This module knows no message of ONNX.

use std::borrow::Cow;

use super::super::{Budget, Result, WeightsError};

/// Maximum depth of messages in messages. A graph in a graph takes three levels.
const MAX_DEPTH: usize = 64;
/// Maximum field number.
const MAX_NUMBER: u64 = (1 << 29) - 1;

/// A message that takes the fields it knows and ignores the others.
pub trait Decode<'m> {
    /// Takes one field. If a field occurs twice, the last one counts or both are joined.
    fn take(&mut self, field: Field<'m, '_>) -> Result<()>;
}

/// How a field's content is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Varint,
    EightBytes,
    Lengthy,
    FourBytes,
}

/// One field of a message.
pub struct Field<'m, 'b> {
    /// The field number, which identifies its meaning.
    pub number: u64,
    kind: Kind,
    content: &'m [u8],
    budget: &'b Budget,
    /// Number of messages that this field is in.
    depth: usize,
    /// Offset in the file.
    start: usize,
    /// Offset of the content's end in the file.
    end: usize,
}

/// Reads a file that is one message.
///
/// # Errors
/// [`WeightsError::Onnx`] with the offset where the file is truncated or invalid; [`WeightsError::TooCostly`] if it
/// would take more memory than its size allows.
pub fn read<'m, M: Decode<'m> + Default>(file: &'m [u8], budget: &Budget) -> Result<M> {
    let mut message = M::default();
    read_fields(file, (file.len(), 0), budget, &mut |field| message.take(field))?;
    Ok(message)
}

fn broken(what: &str, at: usize) -> WeightsError {
    WeightsError::Onnx(format!("{what} at byte {at} of the file"))
}

/// Takes a field of a message.
type Take<'t, 'm> = &'t mut dyn FnMut(Field<'m, '_>) -> Result<()>;

/// Passes the fields of a message to `take`. The message ends at this byte of the file and is in `depth` other ones.
fn read_fields<'m>(
    message: &'m [u8],
    (message_end, depth): (usize, usize),
    budget: &Budget,
    take: Take<'_, 'm>,
) -> Result<()> {
    let mut left = message;
    if depth > MAX_DEPTH {
        return Err(broken("messages are nested too deeply", message_end - left.len()));
    }
    while !left.is_empty() {
        let start = message_end - left.len();
        let field = next_field(&mut left);
        let (number, kind, content) =
            field.ok_or_else(|| broken("a field is cut off or damaged", start))?;
        let end = message_end - left.len();
        take(Field { number, kind, content, budget, depth: depth + 1, start, end })?;
    }
    Ok(())
}

/// The number, kind and content of the first field; `None` if it is cut off or has an unknown kind or number.
fn next_field<'m>(left: &mut &'m [u8]) -> Option<(u64, Kind, &'m [u8])> {
    let tag = varint(left)?;
    let (kind, length) = match tag & 7 {
        0 => {
            let mut rest = *left;
            varint(&mut rest)?;
            (Kind::Varint, left.len() - rest.len())
        }
        1 => (Kind::EightBytes, 8),
        2 => (Kind::Lengthy, usize::try_from(varint(left)?).ok()?),
        5 => (Kind::FourBytes, 4),
        _ => return None,
    };
    let content = left.split_off(..length)?;
    (1..=MAX_NUMBER).contains(&(tag >> 3)).then_some((tag >> 3, kind, content))
}

impl<'m> Field<'m, '_> {
    fn of_kind(&self, kind: Kind) -> Result<&'m [u8]> {
        if self.kind != kind {
            return Err(self.broken("a field has the wrong wire type"));
        }
        Ok(self.content)
    }

    fn broken(&self, what: &str) -> WeightsError {
        broken(what, self.start)
    }

    pub fn bytes(&self) -> Result<&'m [u8]> {
        self.of_kind(Kind::Lengthy)
    }

    pub fn text(&self) -> Result<&'m str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| self.broken("a text is not UTF-8"))
    }

    pub fn int(&self) -> Result<i64> {
        // The content of this kind is one whole number.
        Ok(varints(self.of_kind(Kind::Varint)?).next().unwrap_or_default())
    }

    pub fn float(&self) -> Result<f32> {
        let bytes = self.of_kind(Kind::FourBytes)?.first_chunk();
        Ok(bytes.copied().map_or(0.0, f32::from_le_bytes))
    }

    /// Passes the fields of the message in this field to `take`.
    pub fn each(&self, take: Take<'_, 'm>) -> Result<()> {
        read_fields(self.bytes()?, (self.end, self.depth), self.budget, take)
    }

    /// Reads the message in this field into `message`, in addition to what it already contains.
    pub fn join<M: Decode<'m>>(&self, message: &mut M) -> Result<()> {
        self.each(&mut |field| message.take(field))
    }

    pub fn push<T>(&self, list: &mut Vec<T>, item: T) -> Result<()> {
        self.budget.push(list, item)
    }

    /// As [`Self::join`], for a message that is created on its first occurrence.
    pub fn join_boxed<M: Decode<'m> + Default>(&self, message: &mut Option<Box<M>>) -> Result<()> {
        if message.is_none() {
            self.budget.bytes(size_of::<M>())?;
        }
        self.join(&mut **message.get_or_insert_default())
    }

    /// Adds the message in this field to a list.
    pub fn add_message<M: Decode<'m> + Default>(&self, list: &mut Vec<M>) -> Result<()> {
        let mut message = M::default();
        self.join(&mut message)?;
        self.budget.push(list, message)
    }

    /// Adds the text in this field to a list.
    pub fn add_text<T: From<&'m str>>(&self, list: &mut Vec<T>) -> Result<()> {
        self.budget.push(list, self.text()?.into())
    }

    /// Adds integers to a list, one or a packed list.
    pub fn add_ints(&self, list: &mut Vec<i64>) -> Result<()> {
        for number in varints(self.encoded_varints()?) {
            self.budget.push(list, number)?;
        }
        Ok(())
    }

    /// Adds single-precision numbers to a list, one or a packed list.
    pub fn add_floats(&self, list: &mut Vec<f32>) -> Result<()> {
        let (floats, _) = self.encoded_floats()?.as_chunks::<4>();
        for float in floats {
            self.budget.push(list, f32::from_le_bytes(*float))?;
        }
        Ok(())
    }

    /// Integers as they are encoded, one or a packed list.
    pub fn encoded_varints(&self) -> Result<&'m [u8]> {
        let bytes = match self.kind {
            Kind::Varint => self.content,
            _ => self.bytes()?,
        };
        let mut left = bytes;
        while !left.is_empty() {
            varint(&mut left).ok_or_else(|| self.broken("a list of integers is cut off"))?;
        }
        Ok(bytes)
    }

    /// Little-endian single-precision numbers, one or a packed list.
    pub fn encoded_floats(&self) -> Result<&'m [u8]> {
        self.little_endian(Kind::FourBytes, 4)
    }

    /// Little-endian double-precision numbers, one or a packed list.
    pub fn encoded_doubles(&self) -> Result<&'m [u8]> {
        self.little_endian(Kind::EightBytes, 8)
    }

    fn little_endian(&self, one: Kind, size_bytes: usize) -> Result<&'m [u8]> {
        if self.kind == one {
            return Ok(self.content);
        }
        let bytes = self.bytes()?;
        if !bytes.len().is_multiple_of(size_bytes) {
            return Err(self.broken("a list of numbers is cut off"));
        }
        Ok(bytes)
    }

    /// Appends encoded numbers to a list. The first ones are borrowed from the file.
    pub fn append(&self, list: &mut Cow<'m, [u8]>, more: &'m [u8]) -> Result<()> {
        if list.is_empty() {
            *list = Cow::Borrowed(more);
            return Ok(());
        }
        let needed = list.len() + more.len();
        let capacity = match list {
            Cow::Owned(bytes) => bytes.capacity(),
            Cow::Borrowed(_) => 0,
        };
        if capacity < needed {
            self.budget.bytes(2 * needed)?;
            let mut longer = Vec::with_capacity(2 * needed);
            longer.extend_from_slice(list);
            *list = Cow::Owned(longer);
        }
        list.to_mut().extend_from_slice(more);
        Ok(())
    }
}

/// The numbers of a list from [`Field::encoded_varints`].
pub fn varints(mut bytes: &[u8]) -> impl Iterator<Item = i64> {
    std::iter::from_fn(move || varint(&mut bytes).map(|number| number as i64))
}

/// Takes a varint from the front: seven bits per byte, lowest first. `None` if it is cut off or has more than 64 bits.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A message that is written, field by field.
#[derive(Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    /// Appends a number as a varint.
    fn number(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    pub fn int(self, field: u64, value: i64) -> Self {
        self.number(field << 3).number(value as u64)
    }

    /// Appends what comes before the content of a field with this many bytes.
    pub fn lengthy(self, field: u64, length: usize) -> Self {
        self.number(field << 3 | 2).number(length as u64)
    }

    pub fn bytes(self, field: u64, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut made = self.lengthy(field, bytes.len());
        made.0.extend(bytes);
        made
    }

    pub fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    pub fn float(self, field: u64, value: f32) -> Self {
        let mut made = self.number(field << 3 | 5);
        made.0.extend(value.to_le_bytes());
        made
    }

    /// Appends a packed list.
    pub fn ints(self, field: u64, values: impl IntoIterator<Item = i64>) -> Self {
        let packed = values.into_iter().fold(Self::default(), |list, v| list.number(v as u64));
        self.message(field, &packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field 1 as integers, field 2 as floats, field 3 as a message, and field 4 as encoded floats.
    #[derive(Debug, Default, PartialEq)]
    struct Lists<'m> {
        ints: Vec<i64>,
        floats: Vec<f32>,
        inner: Vec<Lists<'m>>,
        encoded: Cow<'m, [u8]>,
    }

    impl<'m> Decode<'m> for Lists<'m> {
        fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
            match field.number {
                1 => field.add_ints(&mut self.ints),
                2 => field.add_floats(&mut self.floats),
                3 => field.add_message(&mut self.inner),
                4 => field.append(&mut self.encoded, field.encoded_floats()?),
                _ => Ok(()),
            }
        }
    }

    fn lists(file: &[u8]) -> Result<Lists<'_>, String> {
        read(file, &Budget::for_file(file.len())).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_of_seven_bits() {
        let mut left = &[0xac, 0x02, 9][..];
        assert_eq!(varint(&mut left), Some(300));
        assert_eq!(left, [9]);
        assert_eq!(varint(&mut &[0x80; 12][..]), None);
        assert_eq!(varint(&mut &[0x80][..]), None);
        let minus_one = [[0xff; 9].as_slice(), &[1]].concat();
        assert_eq!(varints(&minus_one).collect::<Vec<_>>(), [-1]);
        let too_large = [[0xff; 9].as_slice(), &[2]].concat();
        assert_eq!(varint(&mut &too_large[..]), None);
    }

    #[test]
    fn numbers_come_one_by_one_or_many_at_once() {
        let half = 0.5f32.to_le_bytes();
        let file = [
            &[0x08, 5, 0x0a, 2, 6, 7, 0x08, 8][..],
            &[0x15],
            &half,
            &[0x12, 8],
            &half,
            &half,
            &[0x25],
            &half,
            &[0x22, 4],
            &half,
            &[0x25],
            &half,
        ]
        .concat();
        let read = lists(&file).expect("well formed");
        assert_eq!(read.ints, [5, 6, 7, 8]);
        assert_eq!(read.floats, [0.5; 3]);
        assert_eq!(read.encoded, half.repeat(3));
    }

    #[test]
    fn truncation_is_reported_with_its_position() {
        for (file, what, at) in [
            (&[0x08, 1, 0x08][..], "a field is cut off or damaged", 2),
            (&[0x08, 1, 0x80], "a field is cut off or damaged", 2),
            (&[0x0a], "a field is cut off or damaged", 0),
            (&[0x1a, 2, 0x0a, 9], "a field is cut off or damaged", 2),
            (&[0x0b], "a field is cut off or damaged", 0),
            (&[0x0d, 0, 0, 0, 0], "the wrong wire type", 0),
            (&[0x0a, 2, 1, 0x80], "integers is cut off", 0),
            (&[0x12, 3, 0, 0, 0], "numbers is cut off", 0),
            (&[0x18, 1], "the wrong wire type", 0),
            (&[0x08, 1, 0, 0], "a field is cut off or damaged", 2),
        ] {
            let error = lists(file).expect_err("broken");
            assert!(error.contains(what), "{file:?}: {error}");
            assert!(error.contains(&format!("byte {at} ")), "{file:?}: {error}");
        }
    }

    #[test]
    fn lists_draw_what_they_grow_to() {
        for count in [1, 5, 1000, 100_000] {
            for one in [&[0x08, 1][..], &[0x1a, 0], &[0x15, 0, 0, 0, 0]] {
                let file = one.repeat(count);
                let budget = Budget::for_file(file.len());
                let read = read::<Lists<'_>>(&file, &budget);
                let Ok(read) = read else {
                    assert!(count > 1000, "{count} of {one:?}");
                    continue;
                };
                let held = 8 * read.ints.capacity()
                    + 4 * read.floats.capacity()
                    + size_of::<Lists<'_>>() * read.inner.capacity();
                assert!(budget.cost().bytes >= held as u64);
            }
        }
        let messages = [0x1a, 0].repeat(1_000_000);
        let error = lists(&messages).expect_err("too many");
        assert!(error.contains("bytes of memory"), "{error}");
    }
}
