use super::checkpoint;

/// Bytes of the single storage of a generated archive: enough for the weights of the smallest networks.
const STORAGE_BYTES: usize = 16 << 10;

/// Reads a PyTorch file, of the zip format or the older one.
///
/// Almost any change to an archive breaks its checksums or offsets. So bytes that begin like a pickle are also read as
/// the pickle of a valid archive.
pub fn pth(bytes: &[u8]) {
    checkpoint(bytes);
    if bytes.starts_with(&[0x80]) {
        let storage = [0; STORAGE_BYTES];
        let file = zipped(&[("a/data.pkl", bytes), ("a/data/0", &storage)]);
        checkpoint(&file);
    }
}

/// A zip archive of stored entries (PKWARE's APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16).
fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let start = (file.len() as u32).to_le_bytes();
        let size = (data.len() as u32).to_le_bytes();
        let fields = [crc32fast::hash(data).to_le_bytes(), size, size].concat();
        let name_length = (name.len() as u16).to_le_bytes();
        file.extend(b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0");
        file.extend(&fields);
        file.extend(name_length);
        file.extend([0; 2]);
        file.extend(name.as_bytes());
        file.extend(*data);
        directory.extend(b"PK\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0");
        directory.extend(&fields);
        directory.extend(name_length);
        directory.extend([0; 12]);
        directory.extend(start);
        directory.extend(name.as_bytes());
    }
    let start = (file.len() as u32).to_le_bytes();
    let size = (directory.len() as u32).to_le_bytes();
    let count = (entries.len() as u16).to_le_bytes();
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].concat());
    file.extend(size);
    file.extend(start);
    file.extend([0; 2]);
    file
}
