//! Inserts metadata into a JPEG while it is encoded.

use std::io::{self, Write};

use super::metadata::Metadata;

/// Bytes of a JPEG's start and its JFIF segment.
const JPEG_HEADER_BYTES: usize = 20;

/// Inserts XMP and IPTC after the header of a JPEG, which the encoder does not write.
pub(super) struct AfterHeader<W> {
    to: W,
    left: usize,
    segments: Vec<u8>,
}

impl<W> AfterHeader<W> {
    pub fn of(to: W, metadata: &Metadata) -> Self {
        let xmp = metadata.xmp.as_ref();
        let xmp = xmp.map(|xmp| (0xe1, [b"http://ns.adobe.com/xap/1.0/\0", &xmp[..]].concat()));
        let iptc = metadata.iptc_segment().map(|iptc| (0xed, iptc));
        let mut segments = Vec::new();
        for (marker, data) in xmp.into_iter().chain(iptc) {
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
