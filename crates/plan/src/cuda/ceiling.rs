//! The peak rates of a GPU's multiprocessors per clock, from NVIDIA's own figures.

use values::numeric::NumberFormat;

/// Floating-point operations of one multiprocessor in one clock, dense, 2 per multiply-add; `None` for
/// a compute capability that is not listed here.
///
/// From NVIDIA's white papers of the architectures: Turing, Ampere (GA100 and GA102), Ada, Hopper, Blackwell. GeForce
/// cards of 7.5, 8.6, 8.9 and 12.0 reach only half of the 16-bit and TF32 rates when they accumulate in single
/// precision, as every kernel here does. These figures are the chip's own rates.
pub const fn flops_per_clock(compute_capability: (i32, i32), operand: NumberFormat) -> Option<u64> {
    // 16-bit, TF32, single precision.
    let rates = match compute_capability {
        (7, 5) => (1024, 0, 128),
        (8, 0) => (2048, 1024, 128),
        (8, 6 | 7 | 9) => (1024, 512, 256),
        (9, 0) => (4096, 2048, 256),
        (10, 0 | 3) => (8192, 4096, 256),
        (12, 0 | 1) => (1024, 512, 256),
        _ => return None,
    };
    let rate = match operand {
        NumberFormat::Fp16 | NumberFormat::Bf16 => rates.0,
        NumberFormat::Tf32 => rates.1,
        // Four products per multiplication.
        NumberFormat::Fp16x2 => rates.0 / 4,
        NumberFormat::Fp32 => rates.2,
        // Some layers multiply bytes, others halves, so there is no single rate.
        NumberFormat::Int8 => 0,
    };
    if rate == 0 { None } else { Some(rate) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Datasheets, in TFLOP/s: H200 SXM at 1830 MHz, A100 SXM at 1410 MHz, T4 at 1590 MHz.
    #[test]
    fn datasheets_follow() {
        let tflops = |cc, operand, sms: u64, mhz: u64| {
            let rate = flops_per_clock(cc, operand).expect("listed");
            (rate * sms * mhz) as f64 / 1e6
        };
        for (found, datasheet) in [
            (tflops((9, 0), NumberFormat::Fp16, 132, 1830), 989.5),
            (tflops((9, 0), NumberFormat::Tf32, 132, 1830), 494.7),
            (tflops((8, 0), NumberFormat::Bf16, 108, 1410), 312.0),
            (tflops((8, 0), NumberFormat::Fp32, 108, 1410), 19.5),
            (tflops((7, 5), NumberFormat::Fp16, 40, 1590), 65.0),
        ] {
            assert!((found / datasheet - 1.0).abs() < 0.01, "{found} {datasheet}");
        }
        assert_eq!(flops_per_clock((7, 5), NumberFormat::Tf32), None);
        assert_eq!(flops_per_clock((6, 1), NumberFormat::Fp32), None);
    }
}
