//! Well-formed graphs of known operators in random wiring, with extreme numbers.

use super::{FLOAT, Graph, INT64, Message, attribute, node, tensor};

/// Numbers that break arithmetic, and small ones twice, because they reach more code.
const EXTREMES: [i64; 24] = [
    0,
    0,
    1,
    1,
    2,
    3,
    4,
    8,
    63,
    64,
    65,
    -1,
    -1,
    -2,
    1 << 20,
    (1 << 31) - 1,
    1 << 32,
    1 << 50,
    -(1 << 50),
    1 << 62,
    i64::MAX - 1,
    i64::MAX,
    i64::MIN + 1,
    i64::MIN,
];

/// Numbers that select the parts of a random graph; zeros after their end.
struct Choices<'a>(std::slice::Iter<'a, u32>);

impl Choices<'_> {
    fn below(&mut self, limit: usize) -> usize {
        self.0.next().map_or(0, |choice| *choice as usize % limit)
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn extreme(&mut self) -> i64 {
        self.of(&EXTREMES)
    }

    /// Mostly a small number.
    fn number(&mut self) -> i64 {
        match self.below(4) {
            0 => self.extreme(),
            _ => self.below(5) as i64 - 1,
        }
    }

    fn numbers(&mut self, most: usize) -> Vec<i64> {
        let count = self.below(most + 1);
        (0..count).map(|_| self.number()).collect()
    }

    fn is_exhausted(&self) -> bool {
        self.0.len() == 0
    }
}

/// Kinds of values in a random graph.
const MAPS: usize = 0;
const WEIGHTS: usize = 1;
const NUMBERS: usize = 2;

/// Builds a well-formed graph of known operators, wired by the choices, with extreme numbers as sides, axes, pads,
/// positions and values. `refusal` reads a file and returns why it is refused. It is called after every tensor and
/// every node, and parts that the reader refuses are removed again, so that graphs become deep. Every node is needed
/// for the result. Returns the number of parts that were kept.
pub fn random_graph(choices: &[u32], mut refusal: impl FnMut(&[u8]) -> Option<String>) -> usize {
    let mut c = Choices(choices.iter());
    let mut graph = Graph::default();
    let mut values = [vec!["x".to_owned()], Vec::new(), Vec::new()];
    let mut kept = 0;
    let mut is_kept = |graph: &Graph, values: &[Vec<String>; 3], output: &str| {
        let all: Vec<&str> = values.iter().flatten().map(String::as_str).chain([output]).collect();
        let file = graph.clone().node("Concat", &all, "y", &[]).file();
        // The last node is always refused, but only if all before it are accepted.
        let is_kept = refusal(&file).is_some_and(|message| message.contains("'y'"));
        kept += usize::from(is_kept);
        is_kept
    };
    for index in 0..1 + c.below(4) {
        let dims = match c.below(3) {
            0 => c.numbers(4),
            1 => c.of(&[[2, 3, 1, 1], [0, 3, 1, 1], [3, 3, 3, 3], [1 << 50, 0, 1, 1]]).to_vec(),
            _ => c.of(&[[1 << 50, 0], [0, 1 << 50], [3, 1], [1, 0]]).to_vec(),
        };
        let name = format!("w{index}");
        // As many numbers as the sides require, if these are few.
        let count = dims
            .iter()
            .try_fold(1i64, |product, side| product.checked_mul(*side))
            .filter(|count| (0..=4096).contains(count))
            .unwrap_or(0);
        let halves = vec![0.25; count as usize];
        let weight = tensor(&name, FLOAT, &dims).packed_floats(4, &halves);
        let next = graph.clone().tensor(&weight);
        if is_kept(&next, &values, &name) {
            graph = next;
            values[WEIGHTS].push(name);
        }
    }
    for index in 0..2 + c.below(5) {
        let list = match c.below(3) {
            0 => vec![c.extreme(); c.of(&[1, 2, 4, 63, 64, 65])],
            1 => vec![c.number()],
            _ => c.numbers(8),
        };
        let name = format!("n{index}");
        let count = list.len() as i64;
        let shape = match c.below(6) {
            0 => vec![count, 1],
            1 => vec![1, count],
            2 if count == 1 => Vec::new(),
            3 if count == 0 => vec![c.extreme(), 0],
            _ => vec![count],
        };
        let next = tensor(&name, INT64, &shape).packed_ints(7, &list);
        let next = graph.clone().tensor(&next);
        if is_kept(&next, &values, &name) {
            graph = next;
            values[NUMBERS].push(name);
        }
    }
    for made in 0.. {
        if c.is_exhausted() {
            break;
        }
        let output = format!("v{made}");
        // Mostly an input that fits, sometimes any.
        let any = c.below(16) == 0;
        let pick = |kind: usize, c: &mut Choices<'_>| {
            let list = &values[if any { c.below(3) } else { kind }];
            // The latest values are chosen more often than the first.
            let back = c.below(list.len().max(1)).min(c.below(list.len().max(1)));
            list.iter().rev().nth(back).cloned().unwrap_or_default()
        };
        let (x, w) = (pick(MAPS, &mut c), pick(WEIGHTS, &mut c));
        let n: [String; 5] = std::array::from_fn(|_| pick(NUMBERS, &mut c));
        let n: [&str; 5] = std::array::from_fn(|i| n[i].as_str());
        let axis = attribute("axis").int(3, c.number());
        let list = |key: &str, values: Vec<i64>| attribute(key).packed_ints(8, &values);
        let (next, kind) = match c.below(40) {
            0 => (graph.clone().node("Shape", &[&x], &output, &[]), NUMBERS),
            1 => (graph.clone().node("Shape", &[&w], &output, &[]), NUMBERS),
            2 | 3 => {
                let operator = c.of(&["Add", "Sub", "Mul", "Div"]);
                (graph.clone().node(operator, &n[..2], &output, &[]), NUMBERS)
            }
            4 => (graph.clone().node("Gather", &n[..2], &output, &[axis]), NUMBERS),
            5 | 6 => {
                let count = 3 + c.below(3);
                (graph.clone().node("Slice", &n[..count], &output, &[]), NUMBERS)
            }
            7 => {
                let parts = ["axes", "starts", "ends", "steps"];
                let attributes = parts.map(|part| list(part, vec![c.number()]));
                (graph.clone().node("Slice", &n[..1], &output, &attributes), NUMBERS)
            }
            8 => {
                let count = 1 + c.below(5);
                (graph.clone().node("Concat", &n[..count], &output, &[axis]), NUMBERS)
            }
            9 => {
                let operator = c.of(&["Unsqueeze", "Squeeze", "Floor", "Ceil", "Identity"]);
                (
                    graph.clone().node(operator, &n[..1], &output, &[list("axes", c.numbers(3))]),
                    NUMBERS,
                )
            }
            10 | 11 => (graph.clone().node("Reshape", &n[..2], &output, &[]), NUMBERS),
            12 => (graph.clone().node("Transpose", &n[..1], &output, &[]), NUMBERS),
            13 => (graph.clone().node("ConstantOfShape", &n[..1], &output, &[]), NUMBERS),
            14 => {
                let to = attribute("to").int(3, c.of(&[1, 6, 7, 10, 11, i64::MIN]));
                (graph.clone().node("Cast", &n[..1], &output, &[to]), NUMBERS)
            }
            15 => {
                let values = c.numbers(8);
                let value = match c.below(3) {
                    0 => list("value_ints", values),
                    1 => attribute("value_int").int(3, c.extreme()),
                    _ => attribute("value_floats").packed_floats(7, &[f32::MAX, f32::NAN, 2.0]),
                };
                (graph.clone().node("Constant", &[], &output, &[value]), NUMBERS)
            }
            16 | 17 => (graph.clone().node("Reshape", &[&w, n[0]], &output, &[]), WEIGHTS),
            18 => {
                let axes = list("axes", c.numbers(3));
                (graph.clone().node("Unsqueeze", &[&w], &output, &[axes]), WEIGHTS)
            }
            19 => {
                let dims = c.numbers(5);
                let value = attribute("value").message(5, &tensor("", FLOAT, &dims));
                (graph.clone().node("Constant", &[], &output, &[value]), WEIGHTS)
            }
            20 => {
                let amount = c.number();
                let reflect = attribute("mode").text(4, "reflect");
                let pads = vec![0, 0, amount, amount, 0, 0, amount, amount];
                (graph.clone().node("Pad", &[&x], &output, &[reflect, list("pads", pads)]), MAPS)
            }
            21 => {
                let strides = vec![c.number(); 1 + c.below(3)];
                let group = attribute("group").int(3, c.of(&[1, 1, 1, i64::MIN]));
                let attributes = [list("strides", strides), group];
                (graph.clone().node("Conv", &[&x, &w], &output, &attributes), MAPS)
            }
            22 => {
                let scales = attribute("scales").packed_floats(7, &[1.0, 1.0, 2.0, 2.0]);
                (graph.clone().node("Upsample", &[&x], &output, &[scales]), MAPS)
            }
            23 => {
                let floor = attribute("nearest_mode").text(4, "floor");
                let mode = attribute("coordinate_transformation_mode").text(4, "asymmetric");
                let inputs = [&x, "", "", n[0]];
                (graph.clone().node("Resize", &inputs, &output, &[floor, mode]), MAPS)
            }
            24 => {
                let other = pick(MAPS, &mut c);
                (graph.clone().node("Add", &[&x, &other], &output, &[]), MAPS)
            }
            25 => {
                let axes = list("axes", c.of(&[[2, 3], [-1, -2], [i64::MIN, i64::MAX]]).to_vec());
                (graph.clone().node("ReduceMean", &[&x], &output, &[axes]), MAPS)
            }
            26 => {
                let operator = c.of(&["Sub", "Mul", "Pow", "Div", "Sqrt", "Reciprocal"]);
                let second = c.of(&[w.as_str(), n[0], x.as_str()]);
                (graph.clone().node(operator, &[&x, second], &output, &[]), MAPS)
            }
            31 => {
                let to = attribute("to").int(3, c.of(&[1, 2, 6, 10]));
                (graph.clone().node("Cast", &[&x], &output, &[to]), MAPS)
            }
            32 => {
                let operator = c.of(&[
                    "ReduceSum",
                    "ReduceMax",
                    "ReduceMin",
                    "ReduceL1",
                    "ReduceL2",
                    "Softmax",
                ]);
                let keeps = attribute("keepdims").int(3, c.number());
                let axes = list("axes", c.numbers(3));
                (graph.clone().node(operator, &[&x], &output, &[axes, keeps, axis]), MAPS)
            }
            33 => {
                let inputs = [x.as_str(), n[0], &w];
                (graph.clone().node("LayerNormalization", &inputs, &output, &[axis]), MAPS)
            }
            34 => {
                let operator = c.of(&["Gather", "GatherND", "Expand", "Squeeze", "Unsqueeze"]);
                (graph.clone().node(operator, &[&x, n[0]], &output, &[axis]), MAPS)
            }
            35 => {
                let operator = c.of(&["Max", "Min", "Pow"]);
                let inputs = [x.as_str(), c.of(&[w.as_str(), n[0], &x])];
                (graph.clone().node(operator, &inputs, &output, &[]), MAPS)
            }
            36 => {
                let operator = c.of(&["QuantizeLinear", "DequantizeLinear"]);
                let (of, kind) = c.of(&[(x.as_str(), MAPS), (&w, WEIGHTS), (n[1], WEIGHTS)]);
                (graph.clone().node(operator, &[of, &w, n[0]], &output, &[axis]), kind)
            }
            37 => {
                let inputs = [x.as_str(), &w, n[0], &w, &w, n[1], &w, n[0], n[2]];
                (graph.clone().node("QLinearConv", &inputs, &output, &[]), MAPS)
            }
            38 => {
                let branch = Message::default()
                    .message(1, &node(c.of(&["Relu", "If"]), &[&x], &format!("{output}.b"), &[]))
                    .message(12, &Message::default().text(1, &format!("{output}.b")));
                let branches =
                    ["then_branch", "else_branch"].map(|name| attribute(name).message(6, &branch));
                (graph.clone().node("If", &[n[0]], &output, &branches), MAPS)
            }
            27 | 28 => (graph.clone().node("Reshape", &[&x, n[0]], &output, &[]), MAPS),
            29 | 30 => {
                let other = if any { pick(MAPS, &mut c) } else { x.clone() };
                let node = graph.clone().node("Concat", &[&x, &other], &output, &[axis]);
                (node, MAPS)
            }
            _ => {
                let operator =
                    c.of(&["Relu", "Identity", "Dropout", "GlobalAveragePool", "Round", "Log"]);
                (graph.clone().node(operator, &[&x], &output, &[]), MAPS)
            }
        };
        if is_kept(&next, &values, &output) {
            graph = next;
            values[kind].push(output);
        }
    }
    kept
}
