//! Steps that one launch computes together: a norm's statistics and the step that applies them.
//!
//! They remain two steps, which produce the same bits if they are launched one by one. They are launched separately if
//! the CTAs do not all fit on the device at once, or if the maps between them are inspected.

use std::ops::Range;

use super::{CudaOp, CudaPlan, CudaStep, DeviceLimits, chain::merged, suffix};

/// Several steps as one launch of a separate kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointKernel {
    /// Source file, without its extension.
    pub file: String,
    /// Entry point.
    pub entry: String,
    pub shared_bytes: u32,
}

/// Joins each launch of statistics with the launch that applies them, if all CTAs fit on the device at once.
pub fn join(
    launches: Vec<Range<usize>>,
    steps: &[CudaStep],
    limits: &DeviceLimits,
) -> Vec<Range<usize>> {
    let fits = |step: &CudaStep| (step.grid.0 * step.grid.1) as usize <= limits.multiprocessors;
    merged(launches, |last, next| is_norm(&steps[last.start..next.end]) && fits(&steps[last.start]))
}

/// True if these are the two steps of a norm that can be one launch.
fn is_norm(steps: &[CudaStep]) -> bool {
    let [first, second] = steps else {
        return false;
    };
    match (first.op, second.op) {
        (
            CudaOp::NormStatistics { conv, map, resident: Some(_), .. },
            CudaOp::NormApply { conv: its_conv, map: its_map, .. },
        ) => conv == its_conv && map == its_map,
        _ => false,
    }
}

impl CudaPlan {
    /// The kernel that runs these steps as one launch, unless it is the kernel of the first step.
    pub fn joint_kernel(&self, steps: &Range<usize>) -> Option<JointKernel> {
        if let Some(leading) = self.leading(steps) {
            // A chain that starts with a layer of another shape.
            let of_chain = &self.steps[steps.start + 1];
            return Some(JointKernel {
                file: of_chain.file.clone(),
                entry: of_chain.entry.replacen("wgmma_", "wgmma_leading_", 1),
                shared_bytes: leading.shared_bytes as u32,
            });
        }
        let steps = &self.steps[steps.clone()];
        let CudaOp::NormStatistics { resident: Some(resident), .. } = steps.first()?.op else {
            return None;
        };
        is_norm(steps).then(|| JointKernel {
            file: "instance_norm_resident".to_owned(),
            entry: format!("norm_resident_{}", suffix(self.format().storage)),
            shared_bytes: resident.shared_bytes as u32,
        })
    }

    /// The name of the kernel that runs these steps.
    pub fn entry(&self, steps: &Range<usize>) -> String {
        match self.joint_kernel(steps) {
            Some(joint) => joint.entry,
            None => self.steps[steps.start].entry.clone(),
        }
    }

    /// Flags for each image through which the CTAs of such a norm learn what the others have written: one for each
    /// strip, and one for the last launch.
    pub fn flags_per_image(&self) -> usize {
        self.steps
            .iter()
            .map(|step| match step.op {
                CudaOp::NormStatistics { resident: Some(resident), .. } => {
                    resident.strips.count + 1
                }
                _ => 0,
            })
            .max()
            .unwrap_or_default()
    }
}
