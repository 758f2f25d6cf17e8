//! Fuzzes both ends of the pipes between the program and the process that has a GPU: questions to the
//! serving end, answers to the asking end.
//!
//! Hardly any change to a message leaves its lengths right, so bytes that begin like a header are
//! taken for messages without lengths: a line with the header, a line with the body, and so on.

#![no_main]

#[path = "../support/stub.rs"]
mod stub;

use std::{io, sync::Arc};

use styleforge::{
    backend::remote::{RemoteBackend, serve, wire},
    mode::Precision,
    plan::PlanSummary,
    timing::{RunTiming, StepTiming},
};

/// Bytes of the frames of a session.
const FRAME_BYTES: u64 = 4096;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let messages = match bytes {
        [b'{' | b'[' | b'"', ..] => with_lengths(bytes),
        _ => bytes.to_vec(),
    };
    let _ = serve(Ok(Arc::new(stub::Stub)), &mut messages.as_slice(), &mut io::sink());
    let each = |session| (session < 4).then_some(FRAME_BYTES);
    let mut from = messages.as_slice();
    while let Ok(Some(_)) = wire::read_request(&mut from, each) {}
    answered::<wire::Hello>(&messages);
    answered::<()>(&messages);
    answered::<Precision>(&messages);
    answered::<u64>(&messages);
    answered::<Option<u32>>(&messages);
    answered::<PlanSummary>(&messages);
    answered::<RunTiming>(&messages);
    answered::<Vec<StepTiming>>(&messages);
    answered::<Vec<wire::MapHeader>>(&messages);
    let answers = Box::new(io::Cursor::new(messages));
    if let Ok(backend) = RemoteBackend::connect(answers, Box::new(io::sink()), "a GPU") {
        stub::ask_everything(&backend);
    }
});

/// Reads answers of one kind until there is none.
fn answered<T: serde::de::DeserializeOwned>(mut messages: &[u8]) {
    while let Ok(Ok(_)) = wire::read_answer::<T>(&mut messages, FRAME_BYTES) {}
}

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
