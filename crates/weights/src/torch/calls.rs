//! How the pickle machine handles names and calls: the allowed ones create values, and no code runs.

use super::{
    super::error::shortened,
    input::Problem,
    pickle::Machine,
    values::{Global, Object, StorageRef, TensorRef, Value, global},
};

impl<'a> Machine<'a, '_> {
    pub fn global(&mut self, module: &str, name: &str) -> Result<(), Problem> {
        let known = global(module, name).ok_or_else(|| {
            // Pickles of a whole model contain classes of layers, or from outside PyTorch.
            let class = name.starts_with(|c: char| c.is_ascii_uppercase());
            let of_layers = ["torch.nn.", "torch._dynamo."];
            let is_outside = module != "torch" && !module.starts_with("torch.");
            let hint = if class && (is_outside || of_layers.iter().any(|m| module.starts_with(m))) {
                " (a whole model saved with torch.save(model) must be saved again as \
                 model.state_dict())"
            } else {
                ""
            };
            let (module, name) = (shortened(module), shortened(name));
            format!("it refers to {module}.{name}, which no state dict needs{hint}")
        })?;
        self.push(Value::Global(known))
    }

    fn items(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match value {
            Value::Object(index) => match self.objects.get(index)? {
                Object::Tuple(items) | Object::List(items) => Some(items),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn call(&mut self, callable: Value<'a>, arguments: Value<'a>) -> Result<(), Problem> {
        let Value::Global(callable) = callable else {
            return Err("it calls something that cannot be called".to_owned());
        };
        let arguments = self.items(arguments).ok_or("a call has no arguments")?;
        match (callable, arguments) {
            (Global::OrderedDict, [])
            | (Global::DefaultDict, [] | [Value::None | Value::Global(Global::Type)]) => {
                self.new_object(Object::Dict(Vec::new()))
            }
            (Global::OrderedDict, [pairs]) => {
                let pairs = self.items(*pairs).ok_or("an OrderedDict without pairs")?;
                let mut entries = self.budget.list(pairs.len())?;
                for pair in pairs {
                    let Some([key, value]) = self.items(*pair) else {
                        return Err("an OrderedDict of something other than pairs".to_owned());
                    };
                    entries.push((*key, *value));
                }
                self.new_object(Object::Dict(entries))
            }
            (Global::RebuildTensor, &[storage, offset, size, strides, ..]) => {
                self.new_object(Object::Tensor(TensorRef { storage, offset, size, strides }))
            }
            (Global::RebuildParameter, &[tensor, ..]) => self.push(tensor),
            (Global::Harmless, _) => self.push(Value::Opaque),
            (other, _) => Err(format!("{other:?} is called with arguments that make no tensor")),
        }
    }

    /// Discards attributes of an OrderedDict (`_metadata`) and of values that no weight depends on; attributes of
    /// anything else are refused.
    pub fn build(&mut self, state: Value<'a>) -> Result<(), Problem> {
        let is_dict = |value| match value {
            Value::Object(index) => matches!(self.objects.get(index), Some(Object::Dict(_))),
            _ => false,
        };
        let top = self.top()?;
        if matches!(top, Value::Opaque) || is_dict(top) && is_dict(state) {
            Ok(())
        } else {
            Err("it sets attributes of something that is not a dict".to_owned())
        }
    }

    /// A persistent id: `("storage", type, key, location, length)`, followed by a view before PyTorch 1.6.
    pub fn storage(&mut self, identity: Value<'a>) -> Result<(), Problem> {
        let unknown = || "it refers to something that is not a storage".to_owned();
        let identity = self.items(identity).ok_or_else(unknown)?;
        let [
            Value::Text("storage"),
            Value::Global(Global::Storage(dtype)),
            Value::Text(key),
            _location,
            Value::Int(count),
            rest @ ..,
        ] = identity
        else {
            return Err(unknown());
        };
        let view = match rest {
            [] | [Value::None] => None,
            [view] => match self.items(*view) {
                Some([_key, Value::Int(offset), Value::Int(count)]) => Some((*offset, *count)),
                _ => return Err(unknown()),
            },
            _ => return Err(unknown()),
        };
        let storage = StorageRef { dtype: *dtype, key, count: *count, view };
        self.new_object(Object::Storage(storage))
    }
}
