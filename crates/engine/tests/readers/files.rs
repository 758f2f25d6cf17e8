//! Writers of small pickles and of the two containers in which PyTorch stores them. The output is always well formed;
//! its content may be invalid.

/// A pickle of protocol 2 under construction.
#[derive(Clone)]
pub struct Pickle(Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Self(vec![0x80, 2])
    }

    /// Appends opcodes unchanged.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    /// Appends the same opcodes many times.
    pub fn repeat(&mut self, bytes: &[u8], times: usize) -> &mut Self {
        self.0.extend(bytes.repeat(times));
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes());
        self.raw(text.as_bytes())
    }

    pub fn int(&mut self, number: i64) -> &mut Self {
        match (u8::try_from(number), i32::try_from(number)) {
            (Ok(byte), _) => self.raw(&[b'K', byte]),
            (_, Ok(word)) => self.raw(b"J").raw(&word.to_le_bytes()),
            _ => self.long(&number.to_le_bytes()),
        }
    }

    /// An integer from at most 255 little-endian bytes.
    pub fn long(&mut self, bytes: &[u8]) -> &mut Self {
        self.raw(&[0x8a, bytes.len() as u8]).raw(bytes)
    }

    /// Stores the top of the stack for [`Pickle::get`].
    pub fn put(&mut self, slot: u32) -> &mut Self {
        self.raw(b"r").raw(&slot.to_le_bytes())
    }

    pub fn get(&mut self, slot: u32) -> &mut Self {
        match u8::try_from(slot) {
            Ok(short) => self.raw(&[b'h', short]),
            Err(_) => self.raw(b"j").raw(&slot.to_le_bytes()),
        }
    }

    pub fn global(&mut self, module: &str, name: &str) -> &mut Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    pub fn tuple(&mut self, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.raw(b"(");
        write(self);
        self.raw(b"t")
    }

    /// A dict of the keys and values that `write` appends alternately.
    pub fn dict(&mut self, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.raw(b"}(");
        write(self);
        self.raw(b"u")
    }

    /// A storage of PyTorch by its key.
    pub fn storage(&mut self, class: &str, key: impl FnOnce(&mut Self), count: i64) -> &mut Self {
        self.tuple(|p| {
            p.text("storage").global("torch", class);
            key(p);
            p.text("cpu").int(count);
        })
        .raw(b"Q")
    }

    /// A tensor; `parts` appends storage, offset, sides and strides.
    pub fn tensor(&mut self, parts: impl FnOnce(&mut Self)) -> &mut Self {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.tuple(|p| {
            parts(p);
            p.raw(b"\x89N");
        })
        .raw(b"R")
    }

    /// A tensor of one number in the storage "0".
    pub fn small_tensor(&mut self) -> &mut Self {
        self.tensor(|p| {
            p.storage(
                "FloatStorage",
                |p| {
                    p.text("0");
                },
                1,
            );
            p.int(0).raw(b"K\x01\x85K\x01\x85");
        })
    }

    /// The finished pickle.
    pub fn end(&self) -> Vec<u8> {
        [&self.0[..], b"."].concat()
    }
}

/// A zip archive of stored entries.
pub fn archive(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let start = file.len() as u32;
        let facts = [
            crc32fast::hash(data).to_le_bytes(),
            (data.len() as u32).to_le_bytes(),
            (data.len() as u32).to_le_bytes(),
        ]
        .concat();
        let name_length = (name.len() as u16).to_le_bytes();
        file.extend(b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0");
        file.extend([&facts[..], &name_length, &[0, 0], name.as_bytes(), data].concat());
        directory.extend(b"PK\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0");
        directory.extend([&facts[..], &name_length, &[0; 12]].concat());
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = file.len() as u32;
    let count = (entries.len() as u16).to_le_bytes();
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].concat());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// A `.pth` as PyTorch writes it since 1.6.
pub fn zip(pickle: &Pickle, storages: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut entries = vec![("archive/data.pkl".to_owned(), pickle.end())];
    let data = storages.iter();
    entries.extend(data.map(|(key, bytes)| (format!("archive/data/{key}"), bytes.clone())));
    archive(&entries)
}

/// A `.pth` as PyTorch wrote it before 1.6; each storage follows its count of numbers.
pub fn legacy(pickle: &Pickle, storages: &[(String, i64, Vec<u8>)]) -> Vec<u8> {
    let mut magic = Pickle::new();
    magic.long(&[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]);
    let (mut protocol, mut facts, mut keys) = (Pickle::new(), Pickle::new(), Pickle::new());
    protocol.int(1001);
    facts.dict(|p| {
        p.text("little_endian").raw(b"\x88");
    });
    keys.raw(b"](");
    for (key, ..) in storages {
        keys.text(key);
    }
    keys.raw(b"e");
    let mut file = [&magic, &protocol, &facts, pickle, &keys].map(Pickle::end).concat();
    for (_, count, bytes) in storages {
        file.extend(count.to_le_bytes());
        file.extend(bytes);
    }
    file
}

/// A safetensors file.
pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), data].concat()
}
