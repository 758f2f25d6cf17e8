//! Elementwise functions between convolutions, computed on whole vectors.
//!
//! `exp(x)` is `2^n * exp(r)` with `x = n * ln 2 + r`. `exp(r) - 1` is kept separately, so that functions that are zero
//! at zero stay precise there. Relative errors are below 1e-6. NaN stays NaN.

use super::super::simd::{EXPONENT_BASE, Simd};
use network::graph::Function;

/// `ln 2` as a sum of two numbers. Products of the first with small integers are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `2^n` and `exp(r) - 1`, for a value clamped to -87 to 88.
#[inline(always)]
unsafe fn exp_parts<S: Simd>(x: S::V) -> (S::V, S::V) {
    // SAFETY: the instruction set exists by the caller's promise.
    unsafe {
        let x = S::min(S::splat(88.0), S::max(S::splat(-87.0), x));
        let log2_e = S::splat(std::f32::consts::LOG2_E);
        let based = S::mul_add(x, log2_e, S::splat(EXPONENT_BASE));
        let n = S::sub(based, S::splat(EXPONENT_BASE));
        let r = S::mul_add(n, S::splat(-LN_2[0]), x);
        let r = S::mul_add(n, S::splat(-LN_2[1]), r);
        // Taylor series; |r| is at most ln 2 / 2.
        let mut series = S::splat(1.0 / 5040.0);
        for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
            series = S::mul_add(series, r, S::splat(term));
        }
        let less_one = S::mul_add(S::mul(r, r), series, r);
        (S::power_of_two(based), less_one)
    }
}

/// `exp(x)`
#[inline(always)]
pub unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as above.
    unsafe {
        let (power, less_one) = exp_parts::<S>(x);
        S::mul_add(power, less_one, power)
    }
}

/// `exp(x) - 1`
#[inline(always)]
unsafe fn exp_m1<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as above.
    unsafe {
        let (power, less_one) = exp_parts::<S>(x);
        S::mul_add(power, less_one, S::sub(power, S::splat(1.0)))
    }
}

/// Hyperbolic tangent: `(exp(2x) - 1) / (exp(2x) + 1)`.
#[inline(always)]
unsafe fn tanh<S: Simd>(x: S::V) -> S::V {
    // SAFETY: as above.
    unsafe {
        // Beyond this, the result rounds to one in single precision.
        let twice = S::min(S::splat(20.0), S::max(S::splat(-20.0), S::add(x, x)));
        let less_one = exp_m1::<S>(twice);
        S::div(less_one, S::add(less_one, S::splat(2.0)))
    }
}

/// The complementary error function for values of at least zero, with a relative error of 1.2e-7 before rounding: W. H.
/// Press et al., Numerical Recipes, `erfcc`.
#[inline(always)]
unsafe fn error_complement<S: Simd>(z: S::V) -> S::V {
    const TERMS: [f32; 9] = [
        -0.822_152_26,
        1.488_515_9,
        -1.135_204,
        0.278_868_08,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_95,
        1.000_023_7,
        -1.265_512_2,
    ];
    // SAFETY: as above.
    unsafe {
        let one = S::splat(1.0);
        let t = S::div(one, S::mul_add(z, S::splat(0.5), one));
        let mut series = S::splat(0.170_872_76);
        for term in TERMS {
            series = S::mul_add(series, t, S::splat(term));
        }
        let square = S::mul(z, z);
        S::mul(t, exp::<S>(S::sub(series, square)))
    }
}

/// The error function. Up to one by its Taylor series, which is precise around zero; beyond one by the complement.
#[inline(always)]
unsafe fn erf<S: Simd>(x: S::V) -> S::V {
    // (-1)^n * 2 / (sqrt(pi) * n! * (2n + 1)), the last term first.
    const TERMS: [f32; 12] = [
        -1.229_055_5e-9,
        1.480_719_3e-8,
        -1.636_584_4e-7,
        1.646_211_4e-6,
        -1.492_565e-5,
        1.205_533_26e-4,
        -8.548_327e-4,
        5.223_978e-3,
        -2.686_617_2e-2,
        1.128_379_2e-1,
        -3.761_263_8e-1,
        std::f32::consts::FRAC_2_SQRT_PI,
    ];
    // SAFETY: as above.
    unsafe {
        let [zero, one] = [0.0, 1.0].map(|v| S::splat(v));
        let inner = S::min(one, S::max(S::splat(-1.0), x));
        let square = S::mul(inner, inner);
        let mut series = S::splat(0.0);
        for term in TERMS {
            series = S::mul_add(series, square, S::splat(term));
        }
        let near = S::mul(inner, series);
        let size = S::max(x, S::sub(zero, x));
        // Beyond one, `inner` is the sign.
        let far = S::mul(inner, S::sub(one, error_complement::<S>(size)));
        // Zero up to one, and one beyond; there is no value between them.
        let beyond = S::mul(S::sub(size, one), S::splat(1e30));
        let is_far = S::min(S::max(beyond, zero), one);
        S::mul_add(is_far, S::sub(far, near), near)
    }
}

/// Applies a function of vectors to all values.
macro_rules! each_vector {
    ($simd:ident, $values:ident, $x:ident => $result:expr) => {
        for chunk in $values.chunks_exact_mut($simd::LANES) {
            // SAFETY: the chunk is one vector; the instruction set exists by the caller's promise.
            unsafe {
                let $x = $simd::load(chunk.as_ptr());
                let result = $result;
                $simd::store(chunk.as_mut_ptr(), result);
            }
        }
    };
}

/// Applies a function of numbers to all values.
#[inline(always)]
fn each(values: &mut [f32], of: impl Fn(f32) -> f32) {
    for v in values {
        *v = of(*v);
    }
}

/// Applies a function to values, in place.
///
/// # Safety
/// As [`Simd`]; `values` consists of whole vectors.
#[inline(always)]
pub unsafe fn apply<S: Simd>(function: Function, values: &mut [f32]) {
    use Function::*;

    match function {
        LeakyRelu { slope } => {
            let slope = slope as f32;
            each(values, |v| if v < 0.0 { slope * v } else { v });
        }
        Elu { alpha } => {
            let alpha = alpha as f32;
            each_vector!(S, values, x => {
                let zero = S::splat(0.0);
                let negative = exp_m1::<S>(S::min(zero, x));
                S::mul_add(S::splat(alpha), negative, S::max(zero, x))
            });
        }
        Sigmoid => each_vector!(S, values, x => {
            let one = S::splat(1.0);
            let power = exp::<S>(S::sub(S::splat(0.0), x));
            S::div(one, S::add(one, power))
        }),
        HardSigmoid { alpha, beta } => {
            let (alpha, beta) = (alpha as f32, beta as f32);
            each(values, |v| (alpha * v + beta).clamp(0.0, 1.0));
        }
        Tanh => each_vector!(S, values, x => tanh::<S>(x)),
        Clip { least, most } => {
            let (least, most) = (least as f32, most as f32);
            each(values, |v| {
                let v = if v < least { least } else { v };
                if v > most { most } else { v }
            });
        }
        Sqrt => each(values, f32::sqrt),
        Reciprocal => each(values, |v| 1.0 / v),
        Abs => each(values, f32::abs),
        Exp => each_vector!(S, values, x => exp::<S>(x)),
        Softplus => each(values, |v| {
            let x = f64::from(v);
            (x.max(0.0) + (-x.abs()).exp().ln_1p()) as f32
        }),
        Gelu => each_vector!(S, values, x => {
            let zero = S::splat(0.0);
            let size = S::max(x, S::sub(zero, x));
            let complement = error_complement::<S>(S::mul(size, S::splat(std::f32::consts::FRAC_1_SQRT_2)));
            let half = S::mul(complement, S::splat(0.5));
            let positive = S::max(x, zero);
            let kept = S::sub(positive, S::mul(positive, half));
            S::mul_add(S::min(x, zero), half, kept)
        }),
        Erf => each_vector!(S, values, x => erf::<S>(x)),
        Log => each(values, f32::ln),
        Round => each(values, f32::round_ties_even),
        Floor => each(values, f32::floor),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{
            instruction_set::InstructionSet,
            kernel::{Kernel, Tiles},
        },
        *,
    };

    struct Apply<'a>(Function, &'a mut [f32]);

    impl Kernel for Apply<'_> {
        #[inline(always)]
        unsafe fn run<S: Simd>(self, _: Tiles) {
            // SAFETY: the caller's promise.
            unsafe { apply::<S>(self.0, self.1) }
        }
    }

    /// A function that needs more than simple arithmetic, and its definition.
    type Definition = (Function, fn(f64) -> f64);

    const DEFINITIONS: [Definition; 8] = [
        (Function::Exp, f64::exp),
        (Function::Round, f64::round_ties_even),
        (Function::Floor, f64::floor),
        (Function::Tanh, f64::tanh),
        (Function::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Function::Elu { alpha: 1.0 }, |x| if x < 0.0 { x.exp_m1() } else { x }),
        (Function::Softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        (Function::Erf, |x| {
            // Integral by the midpoint rule.
            let steps = 20_000;
            let at = |i: i32| (f64::from(i) + 0.5) * x / f64::from(steps);
            let sum: f64 = (0..steps).map(|i| (-at(i) * at(i)).exp()).sum();
            sum * x / f64::from(steps) * std::f64::consts::FRAC_2_SQRT_PI
        }),
    ];

    #[test]
    fn functions_are_right_to_a_millionth_on_every_instruction_set() {
        let sizes = (-60..15).map(|i| 1.34f32.powi(i));
        let mut values: Vec<f32> = sizes.flat_map(|v| [v, -v]).collect();
        values.resize(values.len().next_multiple_of(16), 0.0);
        for set in InstructionSet::available() {
            for (function, definition) in DEFINITIONS {
                let mut computed = values.clone();
                // SAFETY: this CPU can run the set, and the values are whole vectors.
                unsafe { set.run(Apply(function, &mut computed)) };
                let mut nan = [f32::NAN; 16];
                // SAFETY: as above.
                unsafe { set.run(Apply(function, &mut nan)) };
                assert!(nan.iter().all(|v| v.is_nan()), "{} {function:?}", set.name());
                for (&x, &y) in values.iter().zip(&computed) {
                    let exact = definition(f64::from(x));
                    let error = (f64::from(y) - exact).abs() / exact.abs().max(1e-30);
                    let name = set.name();
                    assert!(error < 1e-6, "{name} {function:?} of {x}: {y}, {error}");
                }
            }
        }
    }
}
