//! Whether the compressed data of a JPEG fits its headers.
//!
//! Overwritten data still decodes, to garbage that rarely has as many blocks as were written. So the codes are counted
//! without making pixels of them: an unknown code, a coefficient beyond its block, too little data or some left over
//! tell damage, and no encoder writes them (ITU-T T.81, annex F and G). What cannot be counted is taken for whole.

use super::container::be_u16;

/// Scans that are counted at most; encoders write about ten.
const MOST_SCANS: usize = 64;
/// Bits that may be missing at a scan's end: it was not filled up to a byte.
const MISSING_BITS: u32 = 8;
/// Bytes besides padding that may be left over.
const LEFT_OVER: usize = 1;

/// The data contradicts itself.
struct Garbled;

/// Whether the compressed data of a JPEG cannot be what was written.
pub(super) fn is_garbled(bytes: &[u8]) -> bool {
    Walk::default().through(bytes).is_some_and(|r| r.is_err())
}

/// A component of the frame.
struct Component {
    id: u8,
    /// Blocks of a unit of all components, across and down.
    sampling: [usize; 2],
    /// The coefficients of every block that are not zero so far, where scans refine them.
    filled: Vec<u64>,
}

/// What the segments before a scan say of it.
#[derive(Default)]
struct Walk<'a> {
    /// Columns and rows.
    size: [usize; 2],
    components: Vec<Component>,
    is_progressive: bool,
    /// Units between two restart markers; 0 without.
    restart: usize,
    /// Code lengths and symbols, by class and number.
    tables: [[&'a [u8]; 4]; 2],
}

impl<'a> Walk<'a> {
    /// `None` where it cannot be told.
    fn through(&mut self, bytes: &'a [u8]) -> Option<Result<(), Garbled>> {
        let (mut at, mut scans) = (2, 0);
        loop {
            let &[0xff, marker] = bytes.get(at..at + 2)? else {
                return None;
            };
            at += 1;
            match marker {
                0xff => continue,
                0xd9 => return Some(Ok(())),
                _ => at += 1,
            }
            let end = at + usize::from(be_u16(bytes, at)?).max(2);
            let segment = bytes.get(at + 2..end)?;
            at = end;
            match marker {
                0xc4 => self.define_tables(segment)?,
                0xc0..=0xc2 => self.begin_frame(segment, marker == 0xc2)?,
                // Arithmetic codes, hierarchical frames and a height that comes later.
                0xc3..=0xcf | 0xdc | 0xde | 0xdf => return None,
                0xdd => self.restart = usize::from(be_u16(segment, 0)?),
                0xda if scans == MOST_SCANS => return None,
                0xda => match self.scan(segment, Bits::at(bytes, at))? {
                    Ok(end) => (at, scans) = (end, scans + 1),
                    Err(Garbled) => return Some(Err(Garbled)),
                },
                _ => {}
            }
        }
    }

    fn begin_frame(&mut self, segment: &[u8], is_progressive: bool) -> Option<()> {
        let &[8, _, _, _, _, count @ 1..=4] = segment.get(..6)? else {
            return None;
        };
        self.size = [be_u16(segment, 3)?, be_u16(segment, 1)?].map(usize::from);
        self.is_progressive = is_progressive;
        let parts = segment.get(6..6 + 3 * usize::from(count))?.chunks(3);
        let component = |part: &[u8]| Component {
            id: part[0],
            sampling: [part[1] >> 4, part[1] & 15].map(usize::from),
            filled: Vec::new(),
        };
        self.components = parts.map(component).collect();
        let mut sides = self.components.iter().flat_map(|c| c.sampling);
        (!self.size.contains(&0) && sides.all(|side| (1..=4).contains(&side))).then_some(())
    }

    fn define_tables(&mut self, mut segment: &'a [u8]) -> Option<()> {
        while let Some((&number, rest)) = segment.split_first() {
            let count: usize = rest.get(..16)?.iter().copied().map(usize::from).sum();
            let of_class = self.tables.get_mut(usize::from(number >> 4))?;
            *of_class.get_mut(usize::from(number & 15))? = rest.get(..16 + count)?;
            segment = &rest[16 + count..];
        }
        Some(())
    }

    /// Counts the codes of a scan, and gives where they end.
    fn scan(&mut self, head: &[u8], mut bits: Bits<'_>) -> Option<Result<usize, Garbled>> {
        let count = usize::from(*head.first()?);
        let &[first, last, precision] = head.get(1 + 2 * count..4 + 2 * count)? else {
            return None;
        };
        let is_refined = self.is_progressive && precision >> 4 > 0;
        let (has_dc, has_ac) = (first == 0, first > 0 || !self.is_progressive);
        let most = |axis: usize| self.components.iter().map(|c| c.sampling[axis]).max();
        let most = [most(0)?, most(1)?];
        let mut units = [0, 1].map(|axis| self.size[axis].div_ceil(8 * most[axis]));
        let mut blocks = Vec::new();
        for part in head[1..=2 * count].chunks(2) {
            let component = self.components.iter_mut().find(|c| c.id == part[0])?;
            let codes = |class: usize, number: u8, is_needed: bool| match is_needed {
                true => Codes::of(self.tables[class].get(usize::from(number))?).map(Some),
                false => Some(None),
            };
            let dc = codes(0, part[1] >> 4, has_dc && !is_refined)?;
            let ac = codes(1, part[1] & 15, has_ac)?;
            let mut repeats = component.sampling.iter().product();
            if count == 1 {
                // Alone it has only the blocks that are seen.
                repeats = 1;
                units = [0, 1].map(|axis| {
                    let side = self.size[axis] * component.sampling[axis];
                    side.div_ceil(most[axis]).div_ceil(8)
                });
            }
            blocks.push((repeats, dc, ac));
        }
        let mut filled = Vec::new();
        let mut of_one = self.components.iter_mut().find(|c| c.id == head[1]);
        if self.is_progressive && has_ac {
            if count > 1 {
                return None;
            }
            filled = std::mem::take(&mut of_one.as_mut()?.filled);
            filled.resize(units[0] * units[1], 0);
        }
        bits.band = match self.is_progressive {
            true => [usize::from(first), usize::from(last)],
            false => [0, 63],
        };
        if bits.band[1] > 63 || bits.band[0] > bits.band[1] {
            return None;
        }
        let mut unit = 0;
        let counted = bits.end_of(units[0] * units[1], self.restart, |bits| {
            let mut none = 0;
            let filled = filled.get_mut(unit).unwrap_or(&mut none);
            unit += 1;
            for (repeats, dc, ac) in &blocks {
                for _ in 0..*repeats {
                    match ac {
                        Some(codes) if is_refined => bits.refined(codes, filled)?,
                        _ => bits.block(dc.as_ref(), ac.as_ref(), filled)?,
                    }
                }
            }
            Ok(())
        });
        if let Some(component) = of_one.filter(|_| !filled.is_empty()) {
            component.filled = filled;
        }
        Some(counted)
    }
}

/// The codes of a table: for every 16 bits the length of the code that they begin with and its symbol; 0 where there is
/// none.
struct Codes(Vec<u16>);

impl Codes {
    fn of(table: &[u8]) -> Option<Self> {
        let (lengths, symbols) = table.split_at_checked(16)?;
        let mut by_bits = Vec::with_capacity(1 << 16);
        let mut symbols = symbols.iter();
        for (length, &count) in (1..).zip(lengths) {
            for &symbol in symbols.by_ref().take(usize::from(count)) {
                let entry = length << 8 | u16::from(symbol);
                by_bits.extend(std::iter::repeat_n(entry, 1 << (16 - length)));
                if by_bits.len() > 1 << 16 {
                    return None;
                }
            }
        }
        by_bits.resize(1 << 16, 0);
        Some(Self(by_bits))
    }
}

/// The bits of a scan's data.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bits that were read and not taken, the next one uppermost.
    ready: u64,
    count: u32,
    /// Bits taken beyond the data.
    missing: u32,
    /// First and last coefficient.
    band: [usize; 2],
    /// Blocks to come that have no codes of their own.
    run: usize,
}

impl<'a> Bits<'a> {
    fn at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, ready: 0, count: 0, missing: 0, band: [0; 2], run: 0 }
    }

    /// Counts so many units, and gives where they end.
    fn end_of(
        &mut self,
        units: usize,
        restart: usize,
        mut count: impl FnMut(&mut Self) -> Result<(), Garbled>,
    ) -> Result<usize, Garbled> {
        for unit in 0..units {
            if restart > 0 && unit > 0 && unit % restart == 0 {
                let number = (unit / restart - 1) % 8;
                let marker = self.end()?;
                if self.bytes.get(marker..marker + 2) != Some(&[0xff, 0xd0 + number as u8]) {
                    return Err(Garbled);
                }
                let band = self.band;
                *self = Self::at(self.bytes, marker + 2);
                self.band = band;
            }
            count(self)?;
        }
        self.end()
    }

    /// Where the data end, after the last block.
    fn end(&self) -> Result<usize, Garbled> {
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let to_marker = rest.windows(2).position(is_marker).unwrap_or(rest.len());
        let end = self.at + to_marker;
        let unread = self.at - (self.count / 8) as usize;
        let is_padding = |byte: &&u8| matches!(byte, 0 | 0xff);
        let left = self.bytes[unread..end].iter().filter(|b| !is_padding(b));
        match self.run > 0 || left.count() > LEFT_OVER {
            true => Err(Garbled),
            false => Ok(end),
        }
    }

    /// The codes of a block, or its first bits; notes which coefficients are `filled`.
    fn block(
        &mut self,
        dc: Option<&Codes>,
        ac: Option<&Codes>,
        filled: &mut u64,
    ) -> Result<(), Garbled> {
        let [first, last] = self.band;
        if first == 0 {
            match dc.map_or(Ok(1), |codes| self.symbol(codes))? {
                length @ 0..=16 => self.take(u32::from(length))?,
                _ => return Err(Garbled),
            };
        }
        let Some(codes) = ac else {
            return Ok(());
        };
        if self.run > 0 {
            self.run -= 1;
            return Ok(());
        }
        let mut place = first.max(1);
        while place <= last {
            let symbol = self.symbol(codes)?;
            match (usize::from(symbol >> 4), u32::from(symbol & 15)) {
                (15, 0) => place += 16,
                (0, 0) => break,
                (zeros, 0) => {
                    self.run = (1 << zeros) - 1 + self.take(zeros as u32)?;
                    break;
                }
                (zeros, length) => {
                    self.take(length)?;
                    place += zeros + 1;
                    *filled |= 1u64.checked_shl(place as u32 - 1).unwrap_or(0);
                }
            }
            if place > last + 1 {
                return Err(Garbled);
            }
        }
        Ok(())
    }

    /// One more bit of every coefficient that is not zero, and new ones of a single bit (ITU-T T.81, G.1.2.3).
    fn refined(&mut self, codes: &Codes, filled: &mut u64) -> Result<(), Garbled> {
        let [mut place, last] = self.band;
        let before = *filled;
        let has = |place: usize| before >> place & 1 == 1;
        while self.run == 0 && place <= last {
            let symbol = self.symbol(codes)?;
            let mut zeros = symbol >> 4;
            match (zeros, symbol & 15) {
                (15, 0) => {}
                (_, 0) => {
                    self.run = (1 << zeros) + self.take(u32::from(zeros))?;
                    break;
                }
                (_, 1) => {
                    self.take(1)?;
                }
                _ => return Err(Garbled),
            }
            while place <= last && (has(place) || zeros > 0) {
                match has(place) {
                    true => {
                        self.take(1)?;
                    }
                    false => zeros -= 1,
                }
                place += 1;
            }
            if symbol & 15 == 1 {
                if place > last {
                    return Err(Garbled);
                }
                *filled |= 1 << place;
            }
            place += 1;
        }
        if self.run > 0 {
            for _ in (place..=last).filter(|&place| has(place)) {
                self.take(1)?;
            }
            self.run -= 1;
        }
        Ok(())
    }

    fn symbol(&mut self, codes: &Codes) -> Result<u8, Garbled> {
        self.fill();
        let entry = codes.0[(self.ready >> 48) as usize];
        match u32::from(entry >> 8) {
            0 => Err(Garbled),
            length => self.take(length).map(|_| entry as u8),
        }
    }

    /// Takes so many bits, at most 16.
    fn take(&mut self, bits: u32) -> Result<usize, Garbled> {
        self.fill();
        let value = (self.ready >> 32 >> (32 - bits)) as usize;
        self.ready <<= bits;
        self.missing += bits.saturating_sub(self.count);
        self.count = self.count.saturating_sub(bits);
        match self.missing > MISSING_BITS {
            true => Err(Garbled),
            false => Ok(value),
        }
    }

    /// Makes 16 bits ready, zeros behind the last.
    fn fill(&mut self) {
        while self.count < 16 {
            let step = match self.bytes.get(self.at..self.at + 2) {
                Some([0xff, 0]) => 2,
                Some([0xff, _]) | None => return,
                Some(_) => 1,
            };
            self.ready |= u64::from(self.bytes[self.at]) << (56 - self.count);
            self.count += 8;
            self.at += step;
        }
    }
}
