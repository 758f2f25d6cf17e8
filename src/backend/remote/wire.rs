//! The messages in the pipes: a header in JSON and a body of plain numbers.
//!
//! A message is the header's length and the body's (8 bytes each, least significant first), the header, the
//! body. Both ends are the same program, so the format has no versions: a message that does not make sense
//! means that the server is another program.
//!
//! Neither end believes the other: a header has a most length, a body the one that its header
//! allows, and memory grows with what has arrived, at most to twice that and a mebibyte.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    backend::{BackendError, DeviceInfo, SessionSpec},
    graph::Graph,
    mode::{Mode, Variant},
    network::{Network, NodeWeights},
    tensor::{Shape, Tensor},
};

/// Most bytes of a header: a graph of as many operations as are read from a file, with long names.
const MAX_HEADER_BYTES: u64 = 1 << 26;
/// Memory that is taken at once for a message of which nothing has arrived yet.
const STEP_BYTES: u64 = 1 << 20;
/// Most bytes of all frames that a session paints at once.
const MAX_BATCH_BYTES: u64 = 1 << 36;

/// The server's first message.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the program that serves.
    pub version: String,
    /// The device.
    pub device: DeviceInfo,
}

/// A call. The server sends an [`Answer`] of the type that stands behind each.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Whether the device has a mode: `()`.
    Supports(Mode),
    /// The precision for a variant: [`crate::mode::Precision`].
    AutoPrecision(Variant),
    /// Most memory of a run, in bytes: `u64`.
    PredictedBytes(Graph, SessionSpec),
    /// Free memory, in bytes: `Option<u64>`.
    FreeBytes,
    /// The clock, in MHz: `Option<u32>`.
    ClockMhz,
    /// A session for a network whose weights are the body, under a number that the client
    /// chooses: [`crate::plan::PlanSummary`].
    Open(u64, Graph, SessionSpec),
    /// The end of a session: `()`.
    Close(u64),
    /// As many photos as the body holds: [`crate::timing::RunTiming`], the paintings as the body.
    Paint(u64),
    /// One photo step by step: a list of [`crate::timing::StepTiming`], the painting as the body.
    Profile(u64),
    /// The output of one photo before rounding, behind the maps where they are requested: a list of
    /// [`MapHeader`], the values as the body.
    RunTensor {
        /// The session.
        session: u64,
        /// Whether the maps behind the norms are requested too.
        with_maps: bool,
    },
}

/// The header of every answer.
pub type Answer<T> = Result<T, BackendError>;

/// One map of a body: the norm's name, empty for the output, and its extent.
pub type MapHeader = (String, Shape);

/// Sends a message; the body is the parts one after another.
///
/// # Errors
/// The pipe's.
pub fn send(to: &mut dyn Write, header: &impl Serialize, body: &[&[u8]]) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    let body_bytes: usize = body.iter().map(|part| part.len()).sum();
    let mut start = Vec::with_capacity(16 + header.len());
    start.extend((header.len() as u64).to_le_bytes());
    start.extend((body_bytes as u64).to_le_bytes());
    start.extend(header);
    to.write_all(&start)?;
    for part in body {
        to.write_all(part)?;
    }
    to.flush()
}

/// Waits for a request and its body; `None` when the client closed the pipe instead.
/// `batch_bytes` gives the bytes of a whole batch of frames of an open session, by its number.
///
/// # Errors
/// The pipe's, and [`io::ErrorKind::InvalidData`] when what came makes no sense.
pub fn read_request(
    from: &mut dyn Read,
    batch_bytes: impl Fn(u64) -> Option<u64>,
) -> io::Result<Option<(Request, Vec<u8>)>> {
    let Some((header, body_bytes)) = read_header(from)? else {
        return Ok(None);
    };
    let request: Request = serde_json::from_slice(&header)?;
    let most_bytes = request.most_body_bytes(batch_bytes)?;
    let body = read_body(from, body_bytes, most_bytes)?;
    Ok(Some((request, body)))
}

/// Waits for an answer, whose body has at most so many bytes, and none when it is an error.
///
/// # Errors
/// The pipe's, [`io::ErrorKind::UnexpectedEof`] when the server closed it, and
/// [`io::ErrorKind::InvalidData`] when what came makes no sense.
pub fn read_answer<T: DeserializeOwned>(
    from: &mut dyn Read,
    most_body_bytes: u64,
) -> io::Result<Answer<(T, Vec<u8>)>> {
    let (header, body_bytes) = read_header(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let answer: Answer<T> = serde_json::from_slice(&header)?;
    let most_bytes = if answer.is_ok() { most_body_bytes } else { 0 };
    let body = read_body(from, body_bytes, most_bytes)?;
    Ok(answer.map(|answer| (answer, body)))
}

impl Request {
    /// Most bytes of the body that may follow.
    fn most_body_bytes(&self, batch_bytes: impl Fn(u64) -> Option<u64>) -> io::Result<u64> {
        match self {
            Self::Supports(_)
            | Self::AutoPrecision(_)
            | Self::FreeBytes
            | Self::ClockMhz
            | Self::Close(_) => Ok(0),
            Self::PredictedBytes(_, spec) => check(spec).map(|()| 0),
            Self::Open(_, graph, spec) => check(spec).map(|()| 4 * graph.parameter_count() as u64),
            Self::Paint(session) | Self::Profile(session) | Self::RunTensor { session, .. } => {
                batch_bytes(*session).ok_or_else(|| invalid("a session that was never opened"))
            }
        }
    }
}

/// Bytes of a whole batch of frames; `None` beyond what any session is opened for.
pub fn batch_bytes(spec: &SessionSpec) -> Option<u64> {
    let bytes = [spec.width, spec.height, spec.batch.max(1)]
        .into_iter()
        .try_fold(4u64, |bytes, factor| bytes.checked_mul(factor as u64))?;
    (1..=MAX_BATCH_BYTES).contains(&bytes).then_some(bytes)
}

/// Refuses sizes that this program does not run.
fn check(spec: &SessionSpec) -> io::Result<()> {
    batch_bytes(spec).map_or_else(|| Err(invalid("a session of such a size")), |_| Ok(()))
}

/// The header of a message and the length of the body behind it; `None` at the end of the pipe.
fn read_header(from: &mut dyn Read) -> io::Result<Option<(Vec<u8>, u64)>> {
    let mut first = [0; 1];
    let read = loop {
        match from.read(&mut first) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if read == 0 {
        return Ok(None);
    }
    let mut lengths = [0; 16];
    lengths[..1].copy_from_slice(&first);
    from.read_exact(&mut lengths[1..])?;
    let (header, body) = lengths.split_at(8);
    let length = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b));
    if length(header) > MAX_HEADER_BYTES {
        return Err(invalid("a header of such a length"));
    }
    Ok(Some((exactly(from, length(header))?, length(body))))
}

fn read_body(from: &mut dyn Read, bytes: u64, most_bytes: u64) -> io::Result<Vec<u8>> {
    if bytes > most_bytes {
        return Err(invalid("a body of such a length"));
    }
    exactly(from, bytes)
}

/// So many bytes. Memory is taken for them as they arrive.
fn exactly(from: &mut dyn Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let arrived = bytes.len() as u64;
        let step = (length - arrived).min(arrived.max(STEP_BYTES));
        if step == 0 {
            return Ok(bytes);
        }
        let room = usize::try_from(step).map_err(|_| invalid("a message of such a length"))?;
        bytes.try_reserve_exact(room)?;
        Read::take(&mut *from, step).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != arrived + step {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The error for a message that makes no sense.
pub fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} was not expected"))
}

/// Numbers as they go through the pipe.
pub fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Numbers out of the pipe; a rest that is too short for one is left out.
pub fn floats_of(bytes: &[u8]) -> Vec<f32> {
    let four = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    bytes.chunks_exact(4).map(four).collect()
}

/// The maps of a body, in the order of their headers.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when the body is not exactly as long as their shapes say.
pub fn maps_of(
    headers: Vec<MapHeader>,
    body: &[u8],
) -> io::Result<impl Iterator<Item = (String, Tensor)>> {
    let count = |shape: &Shape| {
        let rows = shape.channels.checked_mul(shape.height)?;
        rows.checked_mul(shape.width)
    };
    let values = headers.iter().try_fold(0usize, |sum, (_, shape)| sum.checked_add(count(shape)?));
    if values.and_then(|values| values.checked_mul(size_of::<f32>())) != Some(body.len()) {
        return Err(invalid("a body of another length than its maps"));
    }
    let mut values = floats_of(body).into_iter();
    Ok(headers.into_iter().map(move |(name, shape)| {
        let data = values.by_ref().take(shape.len()).collect();
        (name, Tensor { shape, data })
    }))
}

/// All weights of a network in the order of its nodes: weight and bias of each.
pub fn weight_bytes(network: &Network) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * network.graph().parameter_count());
    for (node, _) in network.graph().weight_shapes() {
        let own = network.weights().of(&node.name);
        bytes.extend(bytes_of(&own.weight));
        bytes.extend(bytes_of(&own.bias));
    }
    bytes
}

/// The network of this graph with the weights of [`weight_bytes`].
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when they do not fit the graph.
pub fn network_of(graph: Graph, bytes: &[u8]) -> io::Result<Network> {
    let mut values = floats_of(bytes).into_iter();
    let mut take = |count: usize| -> Vec<f32> { values.by_ref().take(count).collect() };
    let weights = graph
        .weight_shapes()
        .map(|(node, shape)| {
            let own = NodeWeights { weight: take(shape.weight_len()), bias: take(shape.bias) };
            (node.name.clone(), own)
        })
        .collect();
    Network::new(graph, weights).map_err(|e| invalid(&e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::johnson::NetworkSpec;

    /// A request, where session 7 has frames of 8 x 6 pixels.
    fn read(from: &mut dyn Read) -> io::Result<Option<(Request, Vec<u8>)>> {
        read_request(from, |session| (session == 7).then_some(4 * 8 * 6))
    }

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let mut pipe = Vec::new();
        send(&mut pipe, &Request::Paint(7), &[b"ab", b"", b"c"]).expect("memory");
        send(&mut pipe, &Request::FreeBytes, &[]).expect("memory");
        let mut from = pipe.as_slice();
        let first = read(&mut from).expect("a message");
        assert!(matches!(first, Some((Request::Paint(7), body)) if body == b"abc"));
        let second = read(&mut from).expect("a message");
        assert!(matches!(second, Some((Request::FreeBytes, body)) if body.is_empty()));
        assert!(read(&mut from).expect("the end").is_none());
        // Cut anywhere, it is an error and no message.
        for length in 1..pipe.len() - 1 {
            let mut from = &pipe[..length];
            let mut messages = 0;
            let end = loop {
                match read(&mut from) {
                    Ok(Some(_)) => messages += 1,
                    end => break end,
                }
            };
            let whole = messages == 1 && matches!(end, Ok(None));
            assert!(messages <= 1 && (whole || end.is_err()), "{length}");
        }
    }

    #[test]
    fn a_graph_arrives_that_is_as_long_as_those_of_files() {
        let graph = NetworkSpec::with_widths([2, 3, 4]).graph().expect("valid");
        let text = serde_json::to_string(&graph).expect("JSON");
        let long = text.replace("conv1", &"conv1".repeat(1 << 15));
        assert!(long.len() > 4 << 20, "{}", long.len());
        let graph: Graph = serde_json::from_str(&long).expect("a graph");
        let spec = SessionSpec::single(8, 6, Mode::default());
        let mut pipe = Vec::new();
        send(&mut pipe, &Request::PredictedBytes(graph.clone(), spec), &[]).expect("room");
        let read = read(&mut pipe.as_slice()).expect("a message");
        assert!(matches!(read, Some((Request::PredictedBytes(same, _), _)) if same == graph));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut long = vec![0xff; 16];
        assert!(read(&mut long.as_slice()).is_err());
        long[..8].copy_from_slice(&2u64.to_le_bytes());
        long.extend(b"{}");
        assert!(read(&mut long.as_slice()).is_err());
    }

    /// The error for a message with this header whose body declares `body_bytes` and has none.
    fn refused(header: &impl Serialize, body_bytes: u64) -> String {
        let header = serde_json::to_vec(header).expect("JSON");
        let mut message = (header.len() as u64).to_le_bytes().to_vec();
        message.extend(body_bytes.to_le_bytes());
        message.extend(header);
        let refused = read(&mut message.as_slice()).expect_err("too long");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{refused}");
        refused.to_string()
    }

    #[test]
    fn a_body_is_as_long_as_its_header_allows() {
        let graph = NetworkSpec::with_widths([2, 3, 4]).graph().expect("valid");
        let mode = Mode::default();
        let spec = SessionSpec::single(8, 6, mode);
        let weights = 4 * graph.parameter_count() as u64;
        let too_long = "a body of such a length was not expected";
        assert_eq!(refused(&Request::Paint(7), 4 * 8 * 6 + 1), too_long);
        assert_eq!(refused(&Request::FreeBytes, 1), too_long);
        assert_eq!(refused(&Request::Open(1, graph.clone(), spec), weights + 1), too_long);
        assert_eq!(
            refused(&Request::Paint(8), 0),
            "a session that was never opened was not expected"
        );
        for (width, height, batch) in [(usize::MAX, 2, 2), (0, 6, 1), (1 << 20, 1 << 20, 1)] {
            let spec = SessionSpec { batch, ..SessionSpec::single(width, height, mode) };
            for request in [
                Request::Open(1, graph.clone(), spec),
                Request::PredictedBytes(graph.clone(), spec),
            ] {
                let size = "a session of such a size was not expected";
                assert_eq!(refused(&request, 0), size);
            }
        }
        let vast = serde_json::to_string(&Request::Open(1, graph, spec)).expect("JSON");
        let vast = vast.replacen("\"out_channels\":2", "\"out_channels\":4294967296", 1);
        let vast: serde_json::Value = serde_json::from_str(&vast).expect("JSON");
        assert!(refused(&vast, 0).contains("conv1 is too large"));
    }

    #[test]
    fn an_answer_is_no_longer_than_its_request_allows() {
        let answer = |header: &str, body: &[u8]| {
            let lengths = [header.len() as u64, body.len() as u64].map(u64::to_le_bytes);
            let message = [lengths.as_flattened(), header.as_bytes(), body].concat();
            read_answer::<u64>(&mut message.as_slice(), 3)
        };
        assert_eq!(answer(r#"{"Ok":5}"#, b"abc").expect("whole"), Ok((5, b"abc".to_vec())));
        assert!(answer(r#"{"Ok":5}"#, b"abcd").is_err());
        let failure = r#"{"Err":"Cancelled"}"#;
        assert_eq!(answer(failure, b"").expect("whole"), Err(BackendError::Cancelled));
        assert!(answer(failure, b"a").is_err());
    }

    /// Gives zeros, a byte at a time, and counts what it gave.
    struct Slow<'a>(&'a mut u64);

    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            *self.0 += 1;
            to[0] = 0;
            Ok(1)
        }
    }

    #[test]
    fn memory_grows_with_what_arrives() {
        let most = |arrived: u64| 2 * arrived + STEP_BYTES;
        let mut given = 0;
        let slow = exactly(&mut Slow(&mut given), 3 << 19).expect("all of it");
        assert!(slow.len() == 3 << 19 && (slow.capacity() as u64) <= most(given));
        // Nothing arrives of what was declared.
        let nothing = exactly(&mut io::empty(), u64::MAX).expect_err("the end");
        assert_eq!(nothing.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn maps_arrive_whole_or_not_at_all() {
        let header = |sides: [usize; 3]| {
            let [channels, height, width] = sides;
            (String::new(), Shape::new(channels, height, width))
        };
        let headers = vec![header([1, 1, 2]), header([3, 1, 1])];
        let body = bytes_of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let maps: Vec<_> = maps_of(headers.clone(), &body).expect("maps").collect();
        assert_eq!(maps[0].1.data, [1.0, 2.0]);
        assert_eq!(maps[1].1.data, [3.0, 4.0, 5.0]);
        for length in [0, 4, 19, 21, 24] {
            let body = vec![0; length];
            assert!(maps_of(headers.clone(), &body).is_err(), "{length}");
        }
        let huge = header([1 << 40, 1 << 40, 0]);
        assert!(maps_of(vec![huge], &body).is_err());
    }

    #[test]
    fn networks_arrive_whole() {
        let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([2, 3, 4]) };
        let network = spec.random(3).expect("a valid shape");
        let graph = || network.graph().clone();
        let bytes = weight_bytes(&network);
        assert_eq!(bytes.len(), 4 * graph().parameter_count());
        assert_eq!(network_of(graph(), &bytes).expect("weights"), network);
        assert!(network_of(graph(), &bytes[4..]).is_err());
    }
}
