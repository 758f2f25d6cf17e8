//! The bytes of a pickle, read from first to last. Reads past the end are refused.

/// What is wrong, as text.
pub type Problem = String;

/// A little-endian number of at most eight bytes.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Bytes that are read.
pub struct Input<'a> {
    left: &'a [u8],
    length: usize,
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes, length: bytes.len() }
    }

    /// Number of bytes that have been read.
    pub fn at(&self) -> usize {
        self.length - self.left.len()
    }

    pub fn left_bytes(&self) -> usize {
        self.left.len()
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        self.left
            .split_off(..length)
            .ok_or_else(|| "it ends in the middle of an instruction".to_owned())
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let mut part = [0; N];
        part.copy_from_slice(self.take(N)?);
        Ok(part)
    }

    /// A little-endian number of at most eight bytes.
    pub fn number(&mut self, bytes: usize) -> Result<usize, Problem> {
        usize::try_from(little_endian(self.take(bytes)?)).map_err(|e| e.to_string())
    }

    pub fn line(&mut self) -> Result<&'a str, Problem> {
        let end = self.left.iter().position(|b| *b == b'\n');
        let line = self.take(end.ok_or("a name does not end")?)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| "a name is not UTF-8".to_owned())
    }
}
