//! Fuzzes both ends of the pipes between the program and the process that has a GPU: questions to the
//! serving end, answers to the asking end.
//!
//! Hardly any change to a message leaves its lengths right, so bytes that begin like a header are
//! taken for messages without lengths: a line with the header, a line with the body, and so on.

#![no_main]

#[path = "../support/stub.rs"]
mod stub;

use std::{io, sync::Arc};

use styleforge::backend::worker::{WorkerBackend, serve};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let messages = match bytes {
        [b'{' | b'[' | b'"', ..] => with_lengths(bytes),
        _ => bytes.to_vec(),
    };
    let _ = serve(
        Ok(Arc::new(stub::Stub)),
        &mut messages.as_slice(),
        &mut io::sink(),
    );
    let answers = Box::new(io::Cursor::new(messages));
    if let Ok(backend) = WorkerBackend::connect(answers, Box::new(io::sink()), "a GPU") {
        stub::ask_everything(&backend);
    }
});

/// Messages as they go through the pipe, from lines that are headers and bodies in turn.
fn with_lengths(lines: &[u8]) -> Vec<u8> {
    let mut messages = Vec::new();
    let mut lines = lines.split(|&byte| byte == b'\n');
    while let Some(header) = lines.next() {
        let body = lines.next().unwrap_or_default();
        messages.extend((header.len() as u64).to_le_bytes());
        messages.extend((body.len() as u64).to_le_bytes());
        messages.extend(header);
        messages.extend(body);
    }
    messages
}
