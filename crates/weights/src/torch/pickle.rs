//! A pickle machine that can build a state dict and nothing else.
//!
//! It supports the opcodes of protocols 2 to 5 that PyTorch writes and the few names that state dicts need. Any other
//! name stops the reading where it occurs, called or not. Values are in one list and refer to each other by index, so
//! nested, shared and cyclic values need neither recursion nor copies. Every opcode and every value that it moves is a
//! step of the file's budget. The memory of values is charged to the budget as well.

use std::collections::HashMap;

use super::{
    super::error::shortened,
    Budget, Result, WeightsError,
    input::{Input, Problem},
    values::{Object, Pickle, Value},
};

/// Runs the next pickle of an input.
///
/// # Errors
/// [`WeightsError::Pickle`] with the offset of the opcode that could not be run.
pub fn run<'a>(input: &mut Input<'a>, budget: &Budget) -> Result<Pickle<'a>> {
    let mut machine = Machine {
        input,
        budget,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        objects: Vec::new(),
    };
    loop {
        let offset = machine.input.at();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { root, objects: machine.objects }),
            Err(problem) => return Err(WeightsError::Pickle { offset, problem }),
        }
    }
}

/// The state of the machine.
pub struct Machine<'a, 'b> {
    input: &'b mut Input<'a>,
    pub budget: &'b Budget,
    stack: Vec<Value<'a>>,
    /// Stack heights at the open marks.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    pub objects: Vec<Object<'a>>,
}

impl<'a> Machine<'a, '_> {
    /// Runs one opcode. The last one returns the result of the whole pickle.
    fn step(&mut self) -> Result<Option<Value<'a>>, Problem> {
        self.budget.steps(1)?;
        let [opcode] = self.input.array()?;
        // The number after the opcode, and its bytes.
        let operand = self.input.number(match opcode {
            0x80 | b'K' | 0x8a | 0x8c | b'U' | b'C' | b'q' | b'h' => 1,
            b'M' => 2,
            0x8b | b'X' | b'T' | b'B' | b'r' | b'j' => 4,
            0x95 | 0x8d | 0x8e | 0x96 => 8,
            _ => 0,
        })?;
        // The values that the opcode takes from the stack, from the bottom.
        let items = match opcode {
            b't' | b'l' | b'd' | b'e' | b'u' | b'1' | 0x90 | 0x91 => self.since_mark()?,
            b'a' | b'0' | b'b' | b'Q' | b'.' | 0x85 => self.popped(1)?,
            b's' | b'R' | 0x81 | 0x86 | 0x93 => self.popped(2)?,
            0x87 => self.popped(3)?,
            _ => Vec::new(),
        };
        match opcode {
            // PROTO and FRAME only have to be checked.
            0x80 if (2..=5).contains(&operand) => Ok(()),
            0x80 => Err(format!("pickle protocol {operand} is not known")),
            0x95 if operand <= self.input.left_bytes() => Ok(()),
            0x95 => Err("a frame reaches past the end".to_owned()),
            b'.' => return Ok(items.first().copied()),
            // Constants
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let number = i32::from_le_bytes(self.input.array()?);
                self.push(Value::Int(number.into()))
            }
            b'K' | b'M' => self.push(Value::Int(operand as i64)),
            0x8a | 0x8b => self.long(operand),
            b'G' => self.skipped(size_of::<f64>()),
            // Text and bytes. Python 2 wrote keys as byte strings.
            b'X' | 0x8c | 0x8d => self.text(operand),
            b'U' | b'T' => self.byte_string(operand),
            b'C' | b'B' | 0x8e | 0x96 => self.skipped(operand),
            // Tuples, lists, dicts, sets
            b'(' => Ok(self.budget.push(&mut self.marks, self.stack.len())?),
            b')' | b't' | 0x85..=0x87 => self.new_object(Object::Tuple(items)),
            b']' | b'l' => self.new_object(Object::List(items)),
            b'a' | b'e' => self.append(&items),
            b'}' | b'd' => {
                self.new_object(Object::Dict(Vec::new()))?;
                self.set_items(&items)
            }
            b's' | b'u' => self.set_items(&items),
            0x8f | 0x91 => self.push(Value::Opaque),
            0x90 => match self.top()? {
                Value::Opaque => Ok(()),
                _ => Err("items are added to something that is not a set".to_owned()),
            },
            // A buffer that is made read-only, which it is anyway.
            0x98 => self.top().map(drop),
            // Stack and memo
            b'0' | b'1' => Ok(()),
            b'2' => self.push(self.top()?),
            b'q' | b'r' => self.keep(operand),
            0x94 => self.keep(self.memo.len()),
            b'h' | b'j' => self.recall(operand),
            // Names and calls
            b'c' => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                self.global(module, name)
            }
            0x93 => match items[..] {
                [Value::Text(module), Value::Text(name)] => self.global(module, name),
                _ => Err("a name is not a text".to_owned()),
            },
            b'i' => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                let (module, name) = (shortened(module), shortened(name));
                Err(format!("it builds an object of {module}.{name}"))
            }
            // A call, of a function or of a class.
            b'R' | 0x81 => self.call(items[0], items[1]),
            b'b' => self.build(items[0]),
            b'Q' => self.storage(items[0]),
            other => Err(format!("instruction 0x{other:02x} is not one that state dicts need")),
        }
        .map(|()| None)
    }

    // Values from the bytes ------------------------------------------------------------------------

    fn long(&mut self, length: usize) -> Result<(), Problem> {
        let bytes = self.input.take(length)?;
        if bytes.len() > 8 {
            return self.push(Value::Long(bytes));
        }
        // Two's complement: the missing bytes repeat the sign.
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut full = [if negative { 0xff } else { 0 }; 8];
        full[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(full)))
    }

    fn text(&mut self, length: usize) -> Result<(), Problem> {
        let text = std::str::from_utf8(self.input.take(length)?);
        self.push(Value::Text(text.map_err(|_| "a text is not UTF-8")?))
    }

    /// A string of Python 2. It becomes a text if it is valid UTF-8.
    fn byte_string(&mut self, length: usize) -> Result<(), Problem> {
        let bytes = self.input.take(length)?;
        self.push(std::str::from_utf8(bytes).map_or(Value::Opaque, Value::Text))
    }

    fn skipped(&mut self, length: usize) -> Result<(), Problem> {
        self.input.take(length)?;
        self.push(Value::Opaque)
    }

    // Stack --------------------------------------------------------------------------------------

    pub fn push(&mut self, value: Value<'a>) -> Result<(), Problem> {
        Ok(self.budget.push(&mut self.stack, value)?)
    }

    pub fn new_object(&mut self, object: Object<'a>) -> Result<(), Problem> {
        self.budget.push(&mut self.objects, object)?;
        self.push(Value::Object(self.objects.len() - 1))
    }

    /// The stack height below which values are protected by the open mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub fn top(&self) -> Result<Value<'a>, Problem> {
        self.stack
            .get(self.floor()..)
            .unwrap_or_default()
            .last()
            .copied()
            .ok_or_else(|| "it pops from an empty stack".to_owned())
    }

    fn popped(&mut self, count: usize) -> Result<Vec<Value<'a>>, Problem> {
        let mut items = self.budget.list(count)?;
        for _ in 0..count {
            items.push(self.top()?);
            self.stack.pop();
        }
        items.reverse();
        Ok(items)
    }

    fn since_mark(&mut self) -> Result<Vec<Value<'a>>, Problem> {
        let mark = self.marks.pop().ok_or("it closes a mark that is not open")?;
        let above = self.stack.get(mark..).unwrap_or_default();
        let mut items = self.budget.list(above.len())?;
        items.extend_from_slice(above);
        self.stack.truncate(mark);
        Ok(items)
    }

    fn keep(&mut self, slot: usize) -> Result<(), Problem> {
        let top = self.top()?;
        self.budget.insert(&mut self.memo, slot, top)?;
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Result<(), Problem> {
        let value = self.memo.get(&slot).copied();
        self.push(value.ok_or_else(|| format!("it recalls slot {slot}, which is empty"))?)
    }

    fn top_object(&mut self) -> Result<&mut Object<'a>, Problem> {
        match self.top()? {
            Value::Object(index) => self.objects.get_mut(index),
            _ => None,
        }
        .ok_or_else(|| "it fills something that is not a container".to_owned())
    }

    fn append(&mut self, items: &[Value<'a>]) -> Result<(), Problem> {
        let budget = self.budget;
        let Object::List(list) = self.top_object()? else {
            return Err("it appends to something that is not a list".to_owned());
        };
        for item in items {
            budget.push(list, *item)?;
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Value<'a>]) -> Result<(), Problem> {
        let budget = self.budget;
        let Object::Dict(entries) = self.top_object()? else {
            return Err("it sets items of something that is not a dict".to_owned());
        };
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err("a key has no value".to_owned());
        };
        for [key, value] in pairs {
            budget.push(entries, (*key, *value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(body: &[u8]) -> Result<String, String> {
        let mut input = Input::new(body);
        match run(&mut input, &Budget::for_file(body.len())) {
            Ok(pickle) => {
                assert_eq!(input.left_bytes(), 0);
                Ok(match pickle.object(pickle.root) {
                    Some(object) => format!("{object:?}"),
                    None => format!("{:?}", pickle.root),
                })
            }
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn plain_values_are_built() {
        assert_eq!(result(b"\x80\x02J\xfe\xff\xff\xff."), Ok("Int(-2)".to_owned()));
        assert_eq!(result(b"\x80\x02\x8a\x01\xff."), Ok("Int(-1)".to_owned()));
        assert_eq!(result(b"\x80\x02\x8a\x00."), Ok("Int(0)".to_owned()));
        let dict = result(b"\x80\x02}(X\x01\x00\x00\x00aK\x01U\x01bNu.");
        let expected = r#"Dict([(Text("a"), Int(1)), (Text("b"), None)])"#;
        assert_eq!(dict.as_deref(), Ok(expected));
        let tuple = result(b"\x80\x02K\x01q\x00h\x00\x86.");
        assert_eq!(tuple.as_deref(), Ok("Tuple([Int(1), Int(1)])"));
    }

    #[test]
    fn marks_protect_the_values_below_them() {
        for body in [&b"\x80\x02K\x01(0."[..], b"\x80\x02(.", b"\x80\x02t.", b"\x80\x020."] {
            assert!(result(body).is_err(), "{body:?}");
        }
    }

    /// A model that is saved with its code gets advice, whichever class it is of.
    #[test]
    fn whole_models_are_refused_with_advice() {
        for (name, is_model) in [
            ("__main__\nTransformerNet", true),
            ("torch.nn.parallel.data_parallel\nDataParallel", true),
            ("torch.nn.modules.container\nSequential", true),
            ("torch._dynamo.eval_frame\nOptimizedModule", true),
            ("torchvision.models.vgg\nVGG", true),
            ("torch\nQUInt8Storage", false),
            ("os\nsystem", false),
        ] {
            let body = [b"\x80\x02c", name.as_bytes(), b"\n0."].concat();
            let error = result(&body).expect_err("refused");
            assert_eq!(error.contains("saved again as model.state_dict()"), is_model, "{error}");
        }
    }

    #[test]
    fn unknown_names_are_refused_with_their_position() {
        let error = result(b"\x80\x02]cos\nsystem\n0.").expect_err("refused");
        assert!(error.contains("byte 3") && error.contains("os.system"), "{error}");
        assert!(result(b"\x80\x02ctorch\nload\n.").is_err());
        assert!(result(b"\x80\x02ctorch.storage\n_load_from_bytes\n.").is_err());
    }

    #[test]
    fn views_before_1_6_are_kept() {
        let body = b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x007\
            X\x03\x00\x00\x00cpuK\x09(X\x01\x00\x00\x008K\x02K\x04ttQ.";
        let storage = result(body).expect("a storage");
        assert!(storage.contains("count: 9, view: Some((2, 4))"), "{storage}");
    }

    #[test]
    fn the_objects_of_a_pickle_are_limited_by_its_size() {
        // A thousand lists of the same thousand pairs.
        let body = [
            &b"\x80\x02ccollections\nOrderedDict\nq\0NN\x86q\x01]("[..],
            &b"h\x01".repeat(10_000),
            b"e\x85q\x02",
            &b"h\0h\x02R0".repeat(1000),
        ]
        .concat();
        let error = result(&body).expect_err("too much");
        assert!(error.contains("takes more than"), "{error}");
    }
}
