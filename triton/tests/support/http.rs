//! A client of the server's HTTP interface (KServe's protocol, version 2, with its extension for binary tensors).
#![allow(dead_code, reason = "each program uses a part of it")]

use std::{
    io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

/// The longest that an answer may take; only a broken server reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection, used for one request after another.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// The answer to a request.
pub struct Answer {
    pub status: u16,
    /// What the body says as JSON, before any binary tensors.
    pub json: Value,
    /// The binary tensors.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The server's error message; empty if there is none.
    pub fn error(&self) -> &str {
        self.json["error"].as_str().unwrap_or_default()
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

impl Client {
    pub fn new(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), &[])?;
        self.receive()
    }

    /// Sends JSON and binary tensors.
    pub fn post(&mut self, path: &str, json: &Value, tensors: &[u8]) -> Result<Answer> {
        self.send_post(path, json, tensors)?;
        self.receive()
    }

    /// [`Client::post`] without waiting for the answer.
    pub fn send_post(&mut self, path: &str, json: &Value, tensors: &[u8]) -> Result<()> {
        let json = json.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nInference-Header-Content-Length: {}\r\nContent-Length: {}\r\n\r\n{json}",
            json.len(),
            json.len() + tensors.len(),
        );
        self.send(&head, tensors)
    }

    /// Sends a file alone, as the only input.
    pub fn post_file(&mut self, path: &str, file: &[u8]) -> Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nInference-Header-Content-Length: 0\r\nContent-Length: {}\r\n\r\n",
            file.len(),
        );
        self.send(&head, file)?;
        self.receive()
    }

    fn send(&mut self, head: &str, body: &[u8]) -> Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    }

    pub fn receive(&mut self) -> Result<Answer> {
        let mut line = String::new();
        let mut next_line = |stream: &mut BufReader<TcpStream>| {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    "the server closed the connection",
                ));
            }
            Ok(line.trim().to_ascii_lowercase())
        };
        let first = next_line(&mut self.stream)?;
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| broken("no status"))?;
        let (mut length, mut json_length) = (0, None);
        loop {
            let line = next_line(&mut self.stream)?;
            match line.split_once(": ") {
                Some(("content-length", value)) => {
                    length = value.parse().map_err(|_| broken("no length"))?
                }
                Some(("inference-header-content-length", value)) => {
                    json_length = value.parse().ok()
                }
                None if line.is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let bytes = body.split_off(json_length.unwrap_or(length).min(length));
        // Bodies of health checks are empty.
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Answer { status, json, bytes })
    }
}

/// A request for one picture of this size in RGB, with its bytes after the JSON.
pub fn rgb_request((width, height): (usize, usize), parameters: Value) -> Value {
    let bytes = 3 * width * height;
    json!({
        "parameters": parameters,
        "inputs": [{
            "name": "IMAGE", "datatype": "UINT8", "shape": [1, height, width, 3],
            "parameters": {"binary_data_size": bytes},
        }],
        "outputs": [{"name": "PAINTING", "parameters": {"binary_data": true}}],
    })
}
