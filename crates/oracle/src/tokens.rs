//! Transformer operations on pixels as tokens, each written as its definition.

use super::Map;

/// The values of a pixel.
fn pixel(map: &Map, at: usize) -> impl Iterator<Item = f64> + '_ {
    let pixels = map.height * map.width;
    map.data.iter().skip(at).step_by(pixels).copied()
}

/// Every pixel minus its mean, divided by its standard deviation.
pub fn layer_norm(input: &Map, eps: f64) -> Map {
    let (pixels, count) = (input.height * input.width, input.channels as f64);
    let mut made = input.clone();
    for at in 0..pixels {
        let mean = pixel(input, at).sum::<f64>() / count;
        let variance = pixel(input, at).map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        for value in made.data.iter_mut().skip(at).step_by(pixels) {
            *value = (*value - mean) / (variance + eps).sqrt();
        }
    }
    made
}

/// Attention of `queries` to `keys`, with the average of `values` as result. `stored` is applied to every weight before
/// it is multiplied by a value.
pub fn attention(
    heads: usize,
    queries: &Map,
    keys: &Map,
    values: &Map,
    stored: impl Fn(f64) -> f64,
) -> Map {
    let size = queries.channels / heads;
    let (asking, answering) = (queries.height * queries.width, keys.height * keys.width);
    let mut made = queries.clone();
    for head in 0..heads {
        let of = |map: &Map, c: usize, at: usize| {
            map.data[(head * size + c) * map.height * map.width + at]
        };
        for query in 0..asking {
            let scores: Vec<f64> = (0..answering)
                .map(|key| {
                    let product = |c| of(queries, c, query) * of(keys, c, key);
                    (0..size).map(product).sum::<f64>() / (size as f64).sqrt()
                })
                .collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for c in 0..size {
                let mean = (weights.iter().enumerate())
                    .map(|(key, &weight)| stored(weight) * of(values, c, key))
                    .sum::<f64>();
                made.data[(head * size + c) * asking + query] = mean / sum;
            }
        }
    }
    made
}

/// Adds a position encoding to every pixel.
pub fn with_positions(input: &Map) -> Map {
    let half = input.channels / 2;
    let mut made = input.clone();
    for c in 0..input.channels {
        let (pair, is_cosine) = (c % half / 2, c % 2 == 1);
        let rate = 10_000f64.powf(-((2 * pair) as f64) / half as f64);
        for y in 0..input.height {
            for x in 0..input.width {
                let turn = if c < half { y } else { x } as f64 * rate;
                let value = if is_cosine { turn.cos() } else { turn.sin() };
                made.data[(c * input.height + y) * input.width + x] += value;
            }
        }
    }
    made
}
