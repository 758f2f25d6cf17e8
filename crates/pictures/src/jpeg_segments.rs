//! Inserts metadata into a JPEG while it is encoded.

use std::io::{self, Write};

use super::metadata::Header;

/// Bytes of a JPEG's start and its JFIF segment.
const JPEG_HEADER_BYTES: usize = 20;

/// Marker of a segment with a comment.
pub(super) const COMMENT: u8 = 0xfe;

/// Inserts XMP, IPTC and texts after the header of a JPEG, which the encoder does not write.
pub(super) struct AfterHeader<W> {
    to: W,
    left: usize,
    segments: Vec<u8>,
}

impl<W> AfterHeader<W> {
    pub fn of(to: W, header: &Header<'_>) -> Self {
        let xmp = header.metadata.xmp.as_ref();
        let xmp = xmp.map(|xmp| (0xe1, [b"http://ns.adobe.com/xap/1.0/\0", &xmp[..]].concat()));
        let iptc = header.metadata.iptc_segment().map(|iptc| (0xed, iptc));
        let lines: Vec<String> =
            header.texts.iter().map(|(keyword, text)| format!("{keyword}: {text}")).collect();
        let texts = (!lines.is_empty()).then(|| (COMMENT, lines.join("\n").into_bytes()));
        let mut segments = Vec::new();
        for (marker, data) in xmp.into_iter().chain(iptc).chain(texts) {
            if let Some(length) = u16::try_from(data.len()).ok().and_then(|n| n.checked_add(2)) {
                segments.extend([0xff, marker]);
                segments.extend(length.to_be_bytes());
                segments.extend(data);
            }
        }
        Self { to, left: JPEG_HEADER_BYTES, segments }
    }
}

impl<W: Write> Write for AfterHeader<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return self.to.write(bytes);
        }
        let written = self.to.write(&bytes[..bytes.len().min(self.left)])?;
        self.left -= written;
        if self.left == 0 {
            self.to.write_all(&self.segments)?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
