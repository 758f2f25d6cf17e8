//! Arithmetic on numbers.

use std::cmp::Ordering;

use super::{Call, MAX_COUNT, Numbers, Values, joint_sides, spread, wrapped};

impl Call<'_> {
    pub fn cast(&self) -> Option<Numbers> {
        let source = self.input(0)?;
        self.room(&source.shape)?;
        let values = match (self.node.int("to", 0), &source.values) {
            // FLOAT, FLOAT16, DOUBLE, BFLOAT16. Sizes are small whole numbers, and weights are kept in single precision.
            (1 | 10 | 11 | 16, _) => Values::Float(source.to_floats()),
            // INT32, INT64
            (6 | 7, Values::Float(v)) => Values::Int(v.iter().map(|v| v.trunc() as i64).collect()),
            (6 | 7, Values::Int(v)) => Values::Int(v.clone()),
            // BOOL
            (9, Values::Int(v)) => Values::Int(v.iter().map(|v| i64::from(*v != 0)).collect()),
            (9, Values::Float(v)) => Values::Int(v.iter().map(|v| i64::from(*v != 0.0)).collect()),
            _ => return None,
        };
        Some(Numbers { shape: source.shape.clone(), values })
    }

    /// A function of every number.
    pub fn each(
        &self,
        on_int: fn(i64) -> Option<i64>,
        on_float: fn(f32) -> f32,
    ) -> Option<Numbers> {
        let Numbers { shape, values } = self.input(0)?;
        self.room(shape)?;
        let values = match values {
            Values::Int(v) => Values::Int(v.iter().map(|v| on_int(*v)).collect::<Option<_>>()?),
            Values::Float(v) => Values::Float(v.iter().map(|v| on_float(*v)).collect()),
        };
        Some(Numbers { shape: shape.clone(), values })
    }

    /// 1 if a comparison holds, otherwise 0.
    pub fn compared(&self) -> Option<Numbers> {
        let holds: fn(Ordering) -> bool = match self.node.op_type {
            "Equal" => Ordering::is_eq,
            "Greater" => Ordering::is_gt,
            "GreaterOrEqual" => Ordering::is_ge,
            "Less" => Ordering::is_lt,
            _ => Ordering::is_le,
        };
        let order = self.arithmetic(
            |a, b| Some(a.cmp(&b) as i64),
            |a, b| a.partial_cmp(&b).map_or(f32::NAN, |order| order as i8 as f32),
        )?;
        let values = order
            .to_floats()
            .into_iter()
            .map(|order| order.partial_cmp(&0.0).is_some_and(holds).into());
        Some(Numbers { shape: order.shape, values: Values::Int(values.collect()) })
    }

    pub fn range(&self) -> Option<Numbers> {
        let one = |index: usize| match self.input(index)?.as_ints()? {
            [one] => Some(*one),
            _ => None,
        };
        let (first, end, step) = (one(0)?, one(1)?, one(2)?);
        let mut values = Vec::new();
        let mut at = first;
        while step > 0 && at < end || step < 0 && at > end {
            if values.len() == MAX_COUNT {
                return None;
            }
            values.push(at);
            at = at.checked_add(step)?;
        }
        (step != 0).then(|| Numbers::ints(values))?
    }

    /// One number made of all integers.
    pub fn reduced(&self, join: fn(i64, i64) -> Option<i64>) -> Option<Numbers> {
        let source = self.input(0)?;
        let (first, rest) = source.as_ints()?.split_first()?;
        let value = rest.iter().try_fold(*first, |value, next| join(value, *next))?;
        // The number of sides does not matter for the single numbers that exporters make.
        Numbers::int(value).filter(|_| source.shape.len() <= 1)
    }

    /// The sums or means of fractions over some sides.
    pub fn summed(&self) -> Option<Numbers> {
        let source = self.input(0)?;
        let (values, rank) = (source.as_floats()?, source.shape.len());
        let axes = self.ints("axes", 1)?.unwrap_or_default();
        let is_over = |side: usize| {
            axes.is_empty() || axes.iter().any(|&axis| wrapped(axis, rank) == Some(side))
        };
        self.room(&source.shape)?;
        let mut shape = source.shape.clone();
        for side in (0..rank).filter(|&side| is_over(side)) {
            shape[side] = 1;
        }
        let mut sums = vec![0.0f64; shape.iter().product()];
        for (value, place) in values.iter().zip(spread(&shape, &source.shape)) {
            sums[place] += f64::from(*value);
        }
        let is_mean = self.node.op_type == "ReduceMean";
        let each = if is_mean { values.len() / sums.len().max(1) } else { 1 };
        let sums = sums.iter().map(|sum| (sum / each.max(1) as f64) as f32).collect();
        if !self.node.flag("keepdims", true) {
            let mut kept = (0..rank).map(|side| !is_over(side));
            shape.retain(|_| kept.next() == Some(true));
        }
        Some(Numbers { shape, values: Values::Float(sums) })
    }

    /// Value by value; sides of length 1 are repeated.
    pub fn arithmetic(
        &self,
        on_ints: fn(i64, i64) -> Option<i64>,
        on_floats: fn(f32, f32) -> f32,
    ) -> Option<Numbers> {
        let (a, b) = (self.input(0)?, self.input(1)?);
        let shape = joint_sides(&a.shape, &b.shape)?;
        self.room(&shape)?;
        let pairs = spread(&a.shape, &shape).zip(spread(&b.shape, &shape));
        let values = match (&a.values, &b.values) {
            (Values::Int(x), Values::Int(y)) => {
                Values::Int(pairs.map(|(i, j)| on_ints(x[i], y[j])).collect::<Option<_>>()?)
            }
            (Values::Float(x), Values::Float(y)) => {
                Values::Float(pairs.map(|(i, j)| on_floats(x[i], y[j])).collect())
            }
            _ => return None,
        };
        Some(Numbers { shape, values })
    }
}
