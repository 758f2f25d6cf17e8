//! Writes seeds for the target `wire` into a folder: what goes through the pipes in both directions
//! while a backend is asked everything, with lengths and as lines.

#[path = "../support/stub.rs"]
mod stub;

use std::{
    env, fs,
    io::{self, Read, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use styleforge::backend::remote::{RemoteBackend, serve};

/// An end of a pipe that keeps what goes through it.
struct Kept<T> {
    end: T,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl<T> Kept<T> {
    fn note(&self, bytes: &[u8]) {
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
    }
}

impl<T: Read> Read for Kept<T> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.end.read(to)?;
        self.note(&to[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Kept<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.end.write(bytes)?;
        self.note(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.end.flush()
    }
}

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    let (mut questions, asking) = io::pipe()?;
    let (answers, mut answering) = io::pipe()?;
    let served =
        thread::spawn(move || serve(Ok(Arc::new(stub::Stub)), &mut questions, &mut answering));
    let (from, to) = (Arc::default(), Arc::default());
    let answers = Kept { end: answers, bytes: Arc::clone(&from) };
    let asking = Kept { end: asking, bytes: Arc::clone(&to) };
    let backend = RemoteBackend::connect(Box::new(answers), Box::new(asking), "a GPU")
        .map_err(io::Error::other)?;
    stub::ask_everything(&backend);
    drop(backend);
    served.join().map_err(|_| io::Error::other("the serving end panicked"))??;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    for (name, bytes) in [("answers", from), ("questions", to)] {
        let bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
        fs::write(folder.join(name), &*bytes)?;
        for (number, message) in messages(&bytes).iter().enumerate() {
            fs::write(folder.join(format!("{name}_{number}")), message)?;
        }
        fs::write(folder.join(format!("{name}_lines")), messages(&bytes).join(&b'\n'))?;
    }
    Ok(())
}

/// Each message as two lines, header and body; bodies with line breaks are left out.
fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((lengths, rest)) = bytes.split_first_chunk::<16>() {
        let length = |at: usize| usize::from(lengths[at]) | usize::from(lengths[at + 1]) << 8;
        let (header, rest) = rest.split_at(length(0).min(rest.len()));
        let (body, rest) = rest.split_at(length(8).min(rest.len()));
        let body = if body.contains(&b'\n') { b"" } else { body };
        messages.push([header, b"\n", body].concat());
        bytes = rest;
    }
    messages
}
