//! What goes through the pipes: a header in JSON and, where there are many of them, plain numbers.
//!
//! A message is the header's length and the body's (8 bytes each, least significant first), the
//! header, the body. Both ends are the same program, so nothing here has to last: a message that
//! does not make sense means that the other end is not what it should be.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    backend::{BackendError, DeviceInfo, SessionSpec},
    mode::{Mode, Variant},
    network::{ConvWeights, Network, NetworkSpec, NormWeights},
    tensor::{Shape, Tensor},
};

/// Most bytes of a header.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// What the serving end says before it is asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the program that serves.
    pub version: String,
    /// What it has.
    pub device: DeviceInfo,
}

/// A question. What comes back is an [`Answer`] of the type that stands behind each.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Whether the device has a mode: `()`.
    Supports(Mode),
    /// The precision for a variant: [`crate::mode::Precision`].
    AutoPrecision(Variant),
    /// Most memory of a run, in bytes: `u64`.
    PredictedBytes(NetworkSpec, SessionSpec),
    /// Free memory, in bytes: `Option<u64>`.
    FreeBytes,
    /// The clock, in MHz: `Option<u32>`.
    ClockMhz,
    /// A session for a network whose weights are the body, under a number that the asking end
    /// chooses: [`crate::plan::PlanSummary`].
    Open(u64, NetworkSpec, SessionSpec),
    /// The end of a session: `()`.
    Close(u64),
    /// As many photos as the body holds: [`crate::timing::RunTiming`], the paintings as the body.
    Paint(u64),
    /// One photo step by step: a list of [`crate::timing::StepTiming`], the painting as the body.
    Profile(u64),
    /// The output of one photo before rounding, behind the maps where they are wanted: a list of
    /// [`MapHeader`], the values as the body.
    RunTensor {
        /// The session.
        session: u64,
        /// Whether the maps behind the norms are wanted too.
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

/// Waits for a message; `None` when the other end closed the pipe instead.
///
/// # Errors
/// The pipe's, and [`io::ErrorKind::InvalidData`] when what came makes no sense.
pub fn receive<T: DeserializeOwned>(from: &mut dyn Read) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut first = [0; 1];
    if from.read(&mut first)? == 0 {
        return Ok(None);
    }
    let mut rest = [0; 15];
    from.read_exact(&mut rest)?;
    let mut lengths = [0; 16];
    lengths[..1].copy_from_slice(&first);
    lengths[1..].copy_from_slice(&rest);
    let (header, body) = lengths.split_at(8);
    let length = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |sum, &b| sum << 8 | u64::from(b))
    };
    if length(header) > MAX_HEADER_BYTES {
        return Err(invalid("a header of such a length"));
    }
    let header = serde_json::from_slice(&exactly(from, length(header))?)?;
    Ok(Some((header, exactly(from, length(body))?)))
}

fn exactly(from: &mut dyn Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let needed = usize::try_from(length).map_err(|_| invalid("a body of such a length"))?;
    bytes.try_reserve_exact(needed)?;
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() == needed {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// What the other end should not have sent.
pub fn invalid(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{what} was not expected"),
    )
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
    let values = headers
        .iter()
        .try_fold(0usize, |sum, (_, shape)| sum.checked_add(count(shape)?));
    if values.and_then(|values| values.checked_mul(size_of::<f32>())) != Some(body.len()) {
        return Err(invalid("a body of another length than its maps"));
    }
    let mut values = floats_of(body).into_iter();
    Ok(headers.into_iter().map(move |(name, shape)| {
        let data = values.by_ref().take(shape.len()).collect();
        (name, Tensor { shape, data })
    }))
}

/// All weights of a network, convolution by convolution: weights, bias, gamma, beta.
pub fn weight_bytes(network: &Network) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * network.spec().parameter_count());
    for conv in network.convs() {
        bytes.extend(bytes_of(&conv.weight));
        bytes.extend(bytes_of(&conv.bias));
        if let Some(norm) = &conv.norm {
            bytes.extend(bytes_of(&norm.gamma));
            bytes.extend(bytes_of(&norm.beta));
        }
    }
    bytes
}

/// The network of this shape with the weights of [`weight_bytes`].
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when they do not fit the shape.
pub fn network_of(spec: NetworkSpec, bytes: &[u8]) -> io::Result<Network> {
    spec.validate().map_err(|e| invalid(&e.to_string()))?;
    let mut values = floats_of(bytes).into_iter();
    let mut take = |count: usize| -> Vec<f32> { values.by_ref().take(count).collect() };
    let convs = (spec.convs().iter())
        .map(|conv| ConvWeights {
            weight: take(conv.weight_count()),
            bias: take(conv.out_channels),
            norm: conv.norm_name.is_some().then(|| NormWeights {
                gamma: take(conv.out_channels),
                beta: take(conv.out_channels),
            }),
        })
        .collect();
    Network::new(spec, convs).map_err(|e| invalid(&e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let mut pipe = Vec::new();
        send(&mut pipe, &Request::Close(7), &[b"ab", b"", b"c"]).expect("memory");
        send(&mut pipe, &Request::FreeBytes, &[]).expect("memory");
        let mut from = pipe.as_slice();
        let first = receive::<Request>(&mut from).expect("a message");
        assert!(matches!(first, Some((Request::Close(7), body)) if body == b"abc"));
        let second = receive::<Request>(&mut from).expect("a message");
        assert!(matches!(second, Some((Request::FreeBytes, body)) if body.is_empty()));
        assert!(receive::<Request>(&mut from).expect("the end").is_none());
        // Cut anywhere, it is an error and no message.
        for length in 1..pipe.len() - 1 {
            let mut from = &pipe[..length];
            let mut messages = 0;
            let end = loop {
                match receive::<Request>(&mut from) {
                    Ok(Some(_)) => messages += 1,
                    end => break end,
                }
            };
            let whole = messages == 1 && matches!(end, Ok(None));
            assert!(messages <= 1 && (whole || end.is_err()), "{length}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut long = vec![0xff; 16];
        assert!(receive::<Request>(&mut long.as_slice()).is_err());
        long[..8].copy_from_slice(&2u64.to_le_bytes());
        long.extend(b"{}");
        assert!(receive::<Request>(&mut long.as_slice()).is_err());
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
        let spec = NetworkSpec {
            blocks: 1,
            ..NetworkSpec::with_widths([2, 3, 4])
        };
        let network = Network::random(spec, 3).expect("a valid shape");
        let bytes = weight_bytes(&network);
        assert_eq!(bytes.len(), 4 * spec.parameter_count());
        assert_eq!(network_of(spec, &bytes).expect("weights"), network);
        assert!(network_of(spec, &bytes[4..]).is_err());
        let wrong = NetworkSpec { blocks: 0, ..spec };
        assert!(network_of(wrong, &bytes).is_err());
    }
}
