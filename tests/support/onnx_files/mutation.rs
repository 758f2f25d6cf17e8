//! Changes of valid files that keep them well formed: numbers, texts and weights become others, and fields are removed
//! or repeated.

use super::Message;

/// The messages of a file that are looked into; anything else is text or numbers.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    Shape,
    Dim,
    Integers,
    Floats,
    Raw,
    Text,
}

impl Kind {
    /// What a field with a length contains.
    fn of_field(self, number: u64) -> Self {
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11 | 12) => Self::Value,
            (Self::Node, 5) => Self::Attribute,
            (Self::Value, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Shape, 1) => Self::Dim,
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7) => Self::Integers,
            (Self::Attribute, 7) | (Self::Tensor, 4) => Self::Floats,
            (Self::Tensor, 9) => Self::Raw,
            _ => Self::Text,
        }
    }

    fn is_message(self) -> bool {
        !matches!(self, Self::Integers | Self::Floats | Self::Raw | Self::Text)
    }
}

/// Numbers drawn from a seed (SplitMix64).
pub struct Draw(pub u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % end.max(1) as u64) as usize
    }

    /// Mostly a number near `old`.
    fn integer(&mut self, old: i64) -> i64 {
        const RARE: [i64; 8] = [0, -1, 255, 1024, 4096, 1 << 31, i64::MAX, i64::MIN];
        match self.below(8) {
            0 => RARE[self.below(RARE.len())],
            1 => old.wrapping_neg(),
            2 => old.wrapping_mul(2),
            3 => self.below(9) as i64,
            _ => old.wrapping_add([-2, -1, 1, 2][self.below(4)]),
        }
    }

    fn float(&mut self, old: f32) -> f32 {
        const RARE: [f32; 8] = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::MAX, f32::MIN, 1e-40, 0.5];
        match self.below(4) {
            0 => RARE[self.below(RARE.len())],
            1 => -old,
            2 => old * 1e3,
            _ => old + self.below(5) as f32 - 2.0,
        }
    }
}

/// Number, wire type and content of the first field of a message, and the bytes after it. `None` at its end.
fn field(bytes: &[u8]) -> Option<(u64, u64, &[u8], &[u8])> {
    let varint = |bytes: &[u8]| {
        let count = 1 + bytes.iter().position(|byte| byte < &0x80)?;
        let parts = bytes[..count].iter().rev();
        let value = parts.fold(0u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
        Some((value, count))
    };
    let (key, head) = varint(bytes)?;
    let rest = &bytes[head..];
    let (start, length) = match key & 7 {
        0 => (0, varint(rest)?.1),
        1 => (0, 8),
        5 => (0, 4),
        _ => varint(rest).map(|(length, head)| (head, length as usize))?,
    };
    let (content, after) = rest.get(start..)?.split_at_checked(length)?;
    Some((key >> 3, key & 7, content, after))
}

fn number(content: &[u8]) -> i64 {
    content.iter().rev().fold(0u64, |value, byte| value << 7 | u64::from(byte & 0x7f)) as i64
}

/// Texts of a file that may replace each other: operators, names and modes.
fn texts<'b>(kind: Kind, mut bytes: &'b [u8], found: &mut Vec<(u64, Kind, &'b [u8])>) {
    while let Some((number, wire, content, after)) = field(bytes) {
        let inner = kind.of_field(number);
        if wire == 2 && inner.is_message() {
            texts(inner, content, found);
        } else if wire == 2 && inner == Kind::Text {
            found.push((number, kind, content));
        }
        bytes = after;
    }
}

/// A file being changed.
struct Change<'b, 'd> {
    draw: &'d mut Draw,
    /// Number of fields until the one that changes.
    left: usize,
    texts: Vec<(u64, Kind, &'b [u8])>,
}

impl<'b> Change<'b, '_> {
    /// The fields of a message, of which one is changed.
    fn message(&mut self, kind: Kind, mut bytes: &'b [u8]) -> Message {
        let mut made = Message::default();
        while let Some((number, wire, content, after)) = field(bytes) {
            bytes = after;
            let inner = if wire == 2 { kind.of_field(number) } else { Kind::Text };
            // Each message counts as a field, too.
            let is_chosen = self.left == 0;
            self.left = self.left.wrapping_sub(1);
            let times = match is_chosen && (wire == 2 || self.draw.below(8) == 0) {
                true if inner.is_message() => 2 * self.draw.below(2),
                true if self.draw.below(16) == 0 => 0,
                _ => 1,
            };
            let is_changed = is_chosen && times == 1;
            for _ in 0..times {
                made = match wire {
                    2 if inner.is_message() => {
                        let inner = self.message(inner, content);
                        made.message(number, &inner)
                    }
                    2 if is_changed => {
                        let changed = self.content((number, kind), inner, content);
                        made.bytes(number, &changed)
                    }
                    2 => made.bytes(number, content),
                    0 if is_changed => made.int(number, self.draw.integer(self::number(content))),
                    0 => made.int(number, self::number(content)),
                    5 => {
                        let old = f32::from_le_bytes(content.try_into().unwrap_or_default());
                        made.float(number, if is_changed { self.draw.float(old) } else { old })
                    }
                    _ => made,
                };
            }
        }
        made
    }

    /// Other content of a field.
    fn content(&mut self, place: (u64, Kind), kind: Kind, old: &[u8]) -> Vec<u8> {
        let mut made = old.to_vec();
        match kind {
            Kind::Integers => {
                let mut values = Vec::new();
                let mut rest = old;
                while let Some(end) = rest.iter().position(|byte| byte < &0x80) {
                    values.push(number(&rest[..=end]));
                    rest = &rest[end + 1..];
                }
                match (self.draw.below(8), values.len()) {
                    (0, _) => values.push(self.draw.below(5) as i64),
                    (1, _) => drop(values.pop()),
                    (_, 0) => {}
                    (_, count) => {
                        let at = self.draw.below(count);
                        values[at] = self.draw.integer(values[at]);
                    }
                }
                // The list with its field's key and length.
                let list = Message::default().packed_ints(1, &values).0;
                return field(&list).map_or_else(Vec::new, |(_, _, list, _)| list.to_vec());
            }
            Kind::Floats | Kind::Raw => {
                let at = self.draw.below(old.len() / 4);
                if let Some(four) = made.get_mut(4 * at..4 * at + 4) {
                    let old = f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                    // Raw bytes may be integers.
                    let is_integer = kind == Kind::Raw && self.draw.below(2) == 0;
                    let changed = if is_integer {
                        (self.draw.integer(i64::from(old.to_bits())) as u32).to_le_bytes()
                    } else {
                        self.draw.float(old).to_le_bytes()
                    };
                    four.copy_from_slice(&changed);
                }
            }
            _ => {
                let same: Vec<_> =
                    self.texts.iter().filter(|text| (text.0, text.1) == place).collect();
                if !same.is_empty() {
                    made = same[self.draw.below(same.len())].2.to_vec();
                }
            }
        }
        made
    }
}

/// A file in which some fields are others.
pub fn mutated(file: &[u8], draw: &mut Draw) -> Vec<u8> {
    let mut made = file.to_vec();
    for _ in 0..1 + draw.below(3) {
        let mut found = Vec::new();
        texts(Kind::Model, &made, &mut found);
        let count = fields(Kind::Model, &made);
        let left = draw.below(count);
        let changed = Change { draw, left, texts: found }.message(Kind::Model, &made);
        made = changed.0;
    }
    made
}

/// The number of fields of a message and of those in it.
fn fields(kind: Kind, mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some((number, wire, content, after)) = field(bytes) {
        let inner = kind.of_field(number);
        count += 1;
        if wire == 2 && inner.is_message() {
            count += fields(inner, content);
        }
        bytes = after;
    }
    count
}
