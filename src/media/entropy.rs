//! Whether the compressed data of a JPEG fits its headers.
//!
//! Overwritten data still decodes, to garbage: nearly every bit pattern is some code. But the garbage rarely has as
//! many blocks as were written, so the codes are counted without making pixels of them. A code that does not exist, a
//! coefficient beyond the last of its block, too little data or some left over: each tells damage, and no encoder
//! writes any of them (ITU-T T.81, annex F and G). What cannot be counted is taken for whole.

/// Scans that are counted at most; encoders write about ten.
const MOST_SCANS: usize = 64;
/// Bits that are read beyond the end at most, where the last bits of a scan were not filled up to a byte.
const MISSING_BITS: u32 = 8;
/// Bytes left over that are no damage, besides zeros and ones.
const LEFT_OVER: usize = 1;

/// The data contradicts itself.
struct Garbled;

/// Whether the compressed data of a JPEG cannot be what was written.
pub(super) fn is_garbled(bytes: &[u8]) -> bool {
    Walk::default().through(bytes).is_some_and(|r| r.is_err())
}

/// One component of the frame.
struct Component {
    id: u8,
    /// Blocks of one unit of all components, across and down.
    sampling: [usize; 2],
    /// Of every block the coefficients that are not zero so far, where scans refine them.
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
    tables: [[Option<&'a [u8]>; 4]; 2],
}

impl<'a> Walk<'a> {
    /// `None` where it cannot be told.
    fn through(&mut self, bytes: &'a [u8]) -> Option<Result<(), Garbled>> {
        let mut at = 2;
        let mut scans = 0;
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
            let length = usize::from(word(bytes, at)?);
            let segment = bytes.get(at + 2..at + length.max(2))?;
            at += length.max(2);
            match marker {
                0xc4 => self.define_tables(segment)?,
                0xc0..=0xc2 => self.begin_frame(segment, marker == 0xc2)?,
                // Arithmetic codes, hierarchical frames and a height that comes later.
                0xc3..=0xcf | 0xdc | 0xde | 0xdf => return None,
                0xdd => self.restart = usize::from(word(segment, 0)?),
                0xda => {
                    scans += 1;
                    if scans > MOST_SCANS {
                        return None;
                    }
                    match self.scan(segment, bytes, at)? {
                        Ok(end) => at = end,
                        Err(Garbled) => return Some(Err(Garbled)),
                    }
                }
                _ => {}
            }
        }
    }

    fn begin_frame(&mut self, segment: &[u8], is_progressive: bool) -> Option<()> {
        let &[8, _, _, _, _, count @ 1..=4] = segment.get(..6)? else {
            return None;
        };
        self.size = [word(segment, 3)?, word(segment, 1)?].map(usize::from);
        self.is_progressive = is_progressive;
        let components = segment.get(6..6 + 3 * usize::from(count))?.chunks(3);
        let component = |c: &[u8]| Component {
            id: c[0],
            sampling: [c[1] >> 4, c[1] & 15].map(usize::from),
            filled: Vec::new(),
        };
        self.components = components.map(component).collect();
        let mut sides = self.components.iter().flat_map(|c| c.sampling);
        (!self.size.contains(&0) && sides.all(|side| (1..=4).contains(&side))).then_some(())
    }

    fn define_tables(&mut self, mut segment: &'a [u8]) -> Option<()> {
        while let Some((&number, rest)) = segment.split_first() {
            let count: usize = rest.get(..16)?.iter().copied().map(usize::from).sum();
            let table = rest.get(..16 + count)?;
            let of_class = self.tables.get_mut(usize::from(number >> 4))?;
            *of_class.get_mut(usize::from(number & 15))? = Some(table);
            segment = &rest[16 + count..];
        }
        Some(())
    }

    /// Counts the codes of a scan whose data begin at `at`, and gives where they end.
    fn scan(&mut self, head: &[u8], bytes: &[u8], at: usize) -> Option<Result<usize, Garbled>> {
        let count = usize::from(*head.first()?);
        let parts = head.get(1..1 + 2 * count)?.chunks(2);
        let &[first, last, precision] = head.get(1 + 2 * count..4 + 2 * count)? else {
            return None;
        };
        let is_refined = self.is_progressive && precision >> 4 > 0;
        let needs = |class: usize| match self.is_progressive {
            true => (first == 0) == (class == 0) && !(class == 0 && is_refined),
            false => true,
        };
        let most = |axis: usize| self.components.iter().map(|c| c.sampling[axis]).max();
        let most = [most(0)?, most(1)?];
        let mut units = [0, 1].map(|axis| self.size[axis].div_ceil(8 * most[axis]));
        let mut blocks = Vec::new();
        for part in parts {
            let component = self.components.iter().find(|c| c.id == part[0])?;
            let [across, down] = component.sampling;
            let table = |class: usize, number: u8| -> Option<Option<Codes>> {
                if !needs(class) {
                    return Some(None);
                }
                Codes::of(self.tables[class].get(usize::from(number))?.as_ref()?).map(Some)
            };
            let tables = [table(0, part[1] >> 4)?, table(1, part[1] & 15)?];
            let mut repeats = across * down;
            if count == 1 {
                // Alone it has only the blocks that are seen.
                repeats = 1;
                units = [0, 1].map(|axis| {
                    let side = self.size[axis] * component.sampling[axis];
                    side.div_ceil(most[axis]).div_ceil(8)
                });
            }
            blocks.push((repeats, tables));
        }
        let band = match self.is_progressive {
            true => [usize::from(first), usize::from(last)],
            false => [0, 63],
        };
        if band[1] > 63 || band[0] > band[1] {
            return None;
        }
        let units = units[0] * units[1];
        let mut none = Vec::new();
        let filled = match self.is_progressive && first > 0 {
            true if count > 1 => return None,
            true => {
                let id = head.get(1)?;
                let filled = &mut self.components.iter_mut().find(|c| c.id == *id)?.filled;
                filled.resize(units, 0);
                filled
            }
            false => &mut none,
        };
        let scan = Scan {
            units,
            blocks,
            band,
            is_refined,
            restart: self.restart,
        };
        Some(Bits::at(bytes, at).through(&scan, filled))
    }
}

/// What a scan holds.
struct Scan {
    units: usize,
    /// Of every component in it the blocks of a unit, and its codes.
    blocks: Vec<(usize, [Option<Codes>; 2])>,
    /// First and last coefficient.
    band: [usize; 2],
    is_refined: bool,
    restart: usize,
}

/// The codes of a table.
struct Codes {
    /// For every 16 bits the length of the code that they begin with and its symbol; 0 where there is none.
    by_bits: Vec<u16>,
}

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
        Some(Self { by_bits })
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
}

impl<'a> Bits<'a> {
    fn at(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            ready: 0,
            count: 0,
            missing: 0,
        }
    }

    /// Counts the blocks of a scan, and gives where it ends.
    fn through(&mut self, scan: &Scan, filled: &mut [u64]) -> Result<usize, Garbled> {
        let mut run = 0;
        for unit in 0..scan.units {
            if scan.restart > 0 && unit > 0 && unit % scan.restart == 0 {
                let number = (unit / scan.restart - 1) % 8;
                let marker = self.end(run)?;
                if self.bytes.get(marker..marker + 2) != Some(&[0xff, 0xd0 + number as u8]) {
                    return Err(Garbled);
                }
                *self = Self::at(self.bytes, marker + 2);
            }
            let mut none = 0;
            let filled = filled.get_mut(unit).unwrap_or(&mut none);
            for (repeats, tables) in &scan.blocks {
                for _ in 0..*repeats {
                    match tables {
                        [_, Some(codes)] if scan.is_refined => {
                            self.refined(codes, scan.band, filled, &mut run)?;
                        }
                        _ => self.block(tables, scan.band, filled, &mut run)?,
                    }
                }
            }
        }
        self.end(run)
    }

    /// Where the data end, after the last block, with blocks of a `run` that are to come.
    fn end(&mut self, run: usize) -> Result<usize, Garbled> {
        let whole = self.at - (self.count / 8) as usize;
        let end = next_marker(self.bytes, self.at);
        let rest = self.bytes.get(whole..end).unwrap_or_default();
        let left = rest.iter().filter(|&&b| b != 0 && b != 0xff).count();
        match run > 0 || left > LEFT_OVER {
            true => Err(Garbled),
            false => Ok(end),
        }
    }

    fn block(
        &mut self,
        [dc, ac]: &[Option<Codes>; 2],
        [first, last]: [usize; 2],
        filled: &mut u64,
        run: &mut usize,
    ) -> Result<(), Garbled> {
        let mut place = first;
        if first == 0 {
            place = 1;
            match dc {
                Some(codes) => {
                    match self.symbol(codes)? {
                        length @ 0..=16 => self.take(u32::from(length))?,
                        _ => return Err(Garbled),
                    };
                }
                None => {
                    self.take(1)?;
                }
            }
        }
        let Some(codes) = ac else {
            return Ok(());
        };
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        while place <= last {
            let symbol = self.symbol(codes)?;
            let (zeros, length) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, length) {
                (15, 0) => place += 16,
                (0, 0) => break,
                (zeros, 0) => {
                    *run = (1 << zeros) - 1 + self.take(zeros as u32)?;
                    break;
                }
                _ => {
                    place += zeros + 1;
                    self.take(length)?;
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
    fn refined(
        &mut self,
        codes: &Codes,
        [first, last]: [usize; 2],
        filled: &mut u64,
        run: &mut usize,
    ) -> Result<(), Garbled> {
        let before = *filled;
        let has = |place: usize| before >> place & 1 == 1;
        let mut place = first;
        while *run == 0 && place <= last {
            let symbol = self.symbol(codes)?;
            let (mut zeros, length) = (symbol >> 4, symbol & 15);
            match (zeros, length) {
                (15, 0) => {}
                (_, 0) => {
                    *run = (1 << zeros) + self.take(u32::from(zeros))?;
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
            if length == 1 {
                if place > last {
                    return Err(Garbled);
                }
                *filled |= 1 << place;
            }
            place += 1;
        }
        if *run > 0 {
            for _ in (place..=last).filter(|&place| has(place)) {
                self.take(1)?;
            }
            *run -= 1;
        }
        Ok(())
    }

    fn symbol(&mut self, codes: &Codes) -> Result<u8, Garbled> {
        self.fill();
        let entry = codes.by_bits[(self.ready >> 48) as usize];
        match u32::from(entry >> 8) {
            0 => Err(Garbled),
            length => {
                self.take(length)?;
                Ok(entry as u8)
            }
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
                Some([0xff, _]) => return,
                Some(_) => 1,
                None => return,
            };
            self.ready |= u64::from(self.bytes[self.at]) << (56 - self.count);
            self.count += 8;
            self.at += step;
        }
    }
}

/// Where the next marker lies, or the end of the bytes.
fn next_marker(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff);
    rest.windows(2)
        .position(marker)
        .map_or(bytes.len(), |found| at + found)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let &[high, low] = bytes.get(at..at + 2)? else {
        return None;
    };
    Some(u16::from_be_bytes([high, low]))
}
