//! Turns `--variant` and `--precision` into the modes that a command runs.

use super::{CliError, terminal::write_message};
use backend::{Backend, BackendError};
use values::mode::{Mode, ModeChoice, Precision, PrecisionChoice, Variant};

/// Prints the mode that the automatic precision chose, unless it is the default one.
pub fn announce(chosen: PrecisionChoice, mode: Mode) {
    if chosen == PrecisionChoice::Auto && mode.precision != Precision::default() {
        write_message(format!(
            "Painting in {mode}, the fastest accurate mode on this device (see --precision)."
        ));
    }
}

/// Every pair of the chosen variants and precisions, each mode once. If no variant is chosen, all are used. If no
/// precision is chosen, those of `otherwise` are used. Both are limited to what `backend` supports.
///
/// # Errors
/// [`CliError::WrongUse`] names a chosen pair, variant or precision that the device does not support.
pub fn chosen(
    backend: &dyn Backend,
    variants: &[Variant],
    precisions: &[PrecisionChoice],
    otherwise: &[PrecisionChoice],
) -> Result<Vec<Mode>, CliError> {
    fn or_all<'a, T>(chosen: &'a [T], all: &'a [T]) -> &'a [T] {
        if chosen.is_empty() { all } else { chosen }
    }
    let mut modes: Vec<Mode> = Vec::new();
    for &variant in or_all(variants, Variant::ALL) {
        for &precision in or_all(precisions, otherwise) {
            let mode = backend.mode(ModeChoice::new(variant, precision));
            match backend.supports(mode) {
                Ok(()) if modes.contains(&mode) => {}
                Ok(()) => modes.push(mode),
                Err(error) if !variants.is_empty() && !precisions.is_empty() => {
                    return Err(error.into());
                }
                Err(_) => {}
            }
        }
    }
    // Each chosen variant or precision must lead to a mode, or to an error that says why not.
    let has = |mode: Mode| modes.contains(&mode);
    let refusal = |variant, precision| -> Result<(), BackendError> {
        backend.supports(backend.mode(ModeChoice::new(variant, precision)))
    };
    for &variant in variants {
        if !modes.iter().any(|mode| mode.variant == variant) {
            refusal(variant, PrecisionChoice::Auto)?;
        }
    }
    for &precision in precisions {
        if !Variant::ALL.iter().any(|&v| has(backend.mode(ModeChoice::new(v, precision)))) {
            refusal(Variant::default(), precision)?;
        }
    }
    Ok(modes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use backend::cpu::CpuBackend;
    use values::mode::Precision::{Bf16, Fp32};

    #[test]
    fn chosen_modes_are_run_or_refused() {
        use PrecisionChoice::{Auto, Fixed};
        use Variant::{Baseline, Fused, FusedNorm};
        let cpu = CpuBackend::new(Some(1)).expect("threads");
        let modes = |variants: &[Variant], precisions: &[PrecisionChoice]| {
            chosen(&cpu, variants, precisions, &[Auto, Fixed(Fp32)])
                .map(|modes| modes.iter().map(Mode::to_string).collect::<Vec<_>>())
                .map_err(|e| e.to_string())
        };
        let both = Ok(vec!["baseline fp32".to_owned(), "fused fp32".to_owned()]);
        assert_eq!(modes(&[], &[]), both);
        assert_eq!(modes(&[], &[Fixed(Fp32)]), both);
        assert_eq!(modes(&[Baseline, Fused, Fused], &[Auto, Fixed(Fp32)]), both);
        let one = modes(&[Fused], &[]);
        assert_eq!(one, Ok(vec!["fused fp32".to_owned()]));
        for (variants, precisions, words) in [
            (&[Fused, FusedNorm][..], &[][..], "in fused-norm fp32"),
            (&[], &[Fixed(Fp32), Fixed(Bf16)], "in fused bf16"),
            (&[Baseline], &[Fixed(Fp32), Fixed(Bf16)], "in baseline bf16"),
            (&[Fused, FusedNorm], &[Auto], "in fused-norm fp32"),
        ] {
            let refused = modes(variants, precisions).expect_err(words);
            assert!(refused.contains(words), "{refused}");
        }
    }
}
