//! A network in the form exported for browsers: for one size, with norms and upsamplings as Reshape, ReduceMean and
//! Concat, every shape and number in a separate node, and values named by number.

use network::{
    Network,
    graph::{NORM_EPS, Op},
};

use super::{FLOAT, Graph, Message, attribute, ints, model, none, tensor};

/// The file of a network for pictures of this height and width, both divisible by four.
pub fn browser_export(network: &Network, height: usize, width: usize) -> Vec<u8> {
    let graph = network.graph();
    let shapes = graph.shapes(height, width).expect("large enough");
    let mut file = Export::default();
    let mut names: Vec<String> = Vec::new();
    for (node, shape) in graph.nodes().iter().zip(&shapes) {
        let input = |index: usize| names[node.inputs[index]].as_str();
        let own = network.weights().of(&node.name);
        let channels = shape.channels as i64;
        let name = match node.op {
            Op::Photo => "x".to_owned(),
            Op::Pad { sides, .. } => {
                let margin = sides.top as i64;
                let pads = [[0, 0, margin, margin]; 2].concat();
                let pads = attribute("pads").packed_ints(8, &pads);
                let mode = attribute("mode").text(4, "reflect");
                file.node("Pad", &[input(0)], &[mode, pads])
            }
            Op::Conv2d(conv) => {
                let side = conv.kernel[0] as i64;
                let dims = [channels, conv.in_channels as i64, side, side];
                let weight = file.weight(&dims, &own.weight);
                let bias = file.weight(&[channels], &own.bias);
                let strides = attribute("strides").packed_ints(8, &conv.stride.map(|px| px as i64));
                file.node("Conv", &[input(0), &weight, &bias], &[strides])
            }
            Op::InstanceStatistics => String::new(),
            Op::InstanceNorm { .. } => file.norm(input(0), channels, &own.weight, &own.bias),
            Op::Relu => file.node("Relu", &[input(0)], &[]),
            Op::Add => file.node("Add", &[input(0), input(1)], &[]),
            Op::Upsample => {
                let (height, width) = (shape.height as i64, shape.width as i64);
                let columns = file.reshape(input(0), &[-1, 1]);
                let columns = file.twice(&columns);
                let rows = file.reshape(&columns, &[-1, width]);
                let rows = file.twice(&rows);
                file.reshape(&rows, &[-1, channels, height, width])
            }
            Op::Picture => input(0).to_owned(),
            other => panic!("no such export has {other:?}"),
        };
        names.push(name);
    }
    let dim = |side: usize| none().message(1, &none().int(1, side as i64));
    let sides = [1, 3, height, width].map(dim);
    let shape = sides.into_iter().fold(none(), |all, one| all.repeated(1, one));
    let kind = none().message(1, &none().int(1, FLOAT).message(2, &shape));
    let graph = file.graph.0.message(11, &none().text(1, "x").message(2, &kind));
    let result = names.last().expect("a picture");
    model(&graph.message(12, &none().text(1, result)))
}

/// A graph whose values are named by number.
#[derive(Default)]
struct Export {
    graph: Graph,
    count: usize,
}

impl Export {
    fn name(&mut self) -> String {
        self.count += 1;
        self.count.to_string()
    }

    fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[Message]) -> String {
        let name = self.name();
        let graph = std::mem::take(&mut self.graph);
        self.graph = graph.node(operator, inputs, &name, attributes);
        name
    }

    fn weight(&mut self, dims: &[i64], values: &[f32]) -> String {
        let name = self.name();
        let stored = tensor(&name, FLOAT, dims).packed_floats(4, values);
        self.graph = std::mem::take(&mut self.graph).tensor(&stored);
        name
    }

    fn constant(&mut self, value: &Message) -> String {
        let value = attribute("value").message(5, value);
        self.node("Constant", &[], &[value])
    }

    fn number(&mut self, number: f32) -> String {
        self.constant(&tensor("", FLOAT, &[]).packed_floats(4, &[number]))
    }

    fn reshape(&mut self, x: &str, sides: &[i64]) -> String {
        let sides = self.constant(&ints("", sides));
        self.node("Reshape", &[x, &sides], &[])
    }

    /// The same values under another name.
    fn renamed(&mut self, x: &str) -> String {
        let nothing = self.number(1e-9);
        self.node("Add", &[x, &nothing], &[])
    }

    /// A matrix joined with a copy of itself.
    fn twice(&mut self, x: &str) -> String {
        let copy = self.renamed(x);
        self.node("Concat", &[x, &copy], &[attribute("axis").int(3, 1)])
    }

    fn plane_mean(&mut self, x: &str, channels: i64) -> String {
        let planes = self.reshape(x, &[1, channels, 1, -1]);
        let axes = attribute("axes").packed_ints(8, &[3]);
        self.node("ReduceMean", &[&planes], &[axes])
    }

    fn norm(&mut self, x: &str, channels: i64, scale: &[f32], shift: &[f32]) -> String {
        let mean = self.plane_mean(x, channels);
        let centred = self.node("Sub", &[x, &mean], &[]);
        let copy = self.renamed(&centred);
        let square = self.node("Mul", &[&centred, &copy], &[]);
        let variance = self.plane_mean(&square, channels);
        let eps = self.number(NORM_EPS as f32);
        let raised = self.node("Add", &[&variance, &eps], &[]);
        let deviation = self.node("Sqrt", &[&raised], &[]);
        let normalised = self.node("Div", &[&centred, &deviation], &[]);
        let [scale, shift] = [scale, shift].map(|values| {
            let stored = self.weight(&[channels], values);
            self.reshape(&stored, &[-1, channels, 1, 1])
        });
        let scaled = self.node("Mul", &[&normalised, &scale], &[]);
        self.node("Add", &[&scaled, &shift], &[])
    }
}
