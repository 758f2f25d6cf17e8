//! The steps of the network as shown by the table and the roofline, sorted by a column.
//!
//! The times are means over the middle third of the last samples, ordered by the duration of the whole run. Medians of
//! each step would exclude delays that hit different steps at different times, such as those by other programs, so
//! their sum would be less than any run.
//!
//! Does not depend on egui.

use std::{collections::VecDeque, sync::Arc};

use super::meters::push_newest;
use backend::DeviceInfo;
use engine::live::LiveSample;
use measure::{KernelRow, KernelTable};
use values::{
    mode::DeviceChoice,
    timing::{Ceiling, StepTiming, TimingMethod},
};

/// Number of samples that are kept, so that numbers do not jump.
const KEPT: usize = 9;
/// Time between the steps on a CPU: copying the transparency, padding the picture if its sides do not fit, and waking
/// and waiting for the threads.
const BETWEEN: [&str; 2] = ["Between steps", "copies, waiting for threads"];

/// The last samples of one way to paint, and their times.
#[derive(Default)]
pub struct Steps {
    samples: VecDeque<Arc<LiveSample>>,
    /// The newest sample, even if it has no steps.
    pub newest: Option<Arc<LiveSample>>,
    ceiling: Option<Ceiling>,
    /// The times, in the network's order; `None` before the first sample.
    pub table: Option<KernelTable>,
}

impl Steps {
    /// Adds a sample; discards earlier samples of another mode, style or size.
    pub fn note(&mut self, sample: Arc<LiveSample>) {
        self.newest = Some(sample.clone());
        if sample.steps.is_empty() {
            return;
        }
        if self.samples.back().is_some_and(|s| !is_alike(s, &sample)) {
            self.samples.clear();
        }
        push_newest(&mut self.samples, KEPT, sample);
        self.average();
    }

    /// Why there is no roofline on this device; `None` if there is one, or may be.
    pub fn why_no_roof(&self, device: &DeviceInfo) -> Option<&'static str> {
        (device.kind == DeviceChoice::Cpu && self.ceiling.is_none())
            .then_some("The roofline needs a known peak performance (NVIDIA GPUs only).")
    }

    /// Sets the device's limits that steps are compared with.
    pub fn set_ceiling(&mut self, ceiling: Option<Ceiling>) {
        self.ceiling = ceiling;
        self.average();
    }

    /// Discards the samples.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn average(&mut self) {
        let Some(last) = self.samples.back() else {
            return;
        };
        let mut usual: Vec<&LiveSample> = self.samples.iter().map(Arc::as_ref).collect();
        usual.sort_by(|a, b| a.total_ms.total_cmp(&b.total_ms));
        let beside = usual.len() / 3;
        let usual = &usual[beside..usual.len() - beside];
        let mean = |of: &dyn Fn(&LiveSample) -> f64| {
            usual.iter().map(|s| of(s)).sum::<f64>() / usual.len() as f64
        };
        let mut steps: Vec<StepTiming> = (last.steps.iter().enumerate())
            .map(|(at, step)| StepTiming { ms: mean(&|s| s.steps[at].ms), ..step.clone() })
            .collect();
        let total_ms = mean(&|s| s.total_ms);
        // On other devices the steps are timed in separate runs.
        let rest_ms = total_ms - steps.iter().map(|step| step.ms).sum::<f64>();
        if last.method == TimingMethod::Host && rest_ms > 0.0 {
            let [layer, kernel] = BETWEEN.map(str::to_owned);
            steps.push(StepTiming { layer, kernel, ms: rest_ms, flops: 0, bytes: 0 });
        }
        self.table = Some(KernelTable {
            // The caller knows these values.
            device_name: String::new(),
            mode: last.mode.to_string(),
            size: format!("{}x{}", last.width, last.height),
            method: last.method,
            frames: self.samples.len(),
            total_ms,
            ceiling: self.ceiling.clone(),
            kernels: steps.iter().map(|step| KernelRow::of(step, self.ceiling.as_ref())).collect(),
        });
    }
}

fn is_alike(a: &LiveSample, b: &LiveSample) -> bool {
    let name = |step: &StepTiming| (step.layer.clone(), step.kernel.clone(), step.bytes);
    (a.mode, a.width, a.height, a.method) == (b.mode, b.width, b.height, b.method)
        && a.steps.iter().map(name).eq(b.steps.iter().map(name))
}

#[derive(Clone, Copy, Default, PartialEq)]
pub enum Column {
    /// Position in the network.
    #[default]
    Order,
    Layer,
    Kernel,
    Time,
    /// Share of the total time.
    Share,
    /// Bytes per second.
    Bandwidth,
    /// Operations per second.
    Arithmetic,
    /// Share of the device's limit.
    Ceiling,
}

/// The column by which rows are sorted.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Sorting {
    pub column: Column,
    /// Descending order.
    pub is_reversed: bool,
}

impl Sorting {
    /// Handles a click on a column's head.
    pub fn click(&mut self, column: Column) {
        // Numbers are first sorted in descending order.
        let is_number = !matches!(column, Column::Order | Column::Layer | Column::Kernel);
        let is_reversed = if self.column == column { !self.is_reversed } else { is_number };
        *self = Self { column, is_reversed };
    }

    /// Indices of the rows in display order. Rows without a value are last; equal rows stay in the network's order.
    pub fn order(self, rows: &[KernelRow]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let key = |at: usize| {
            let row = &rows[at];
            match self.column {
                Column::Order => (Some(at as f64), ""),
                Column::Layer => (Some(0.0), row.layer.as_str()),
                Column::Kernel => (Some(0.0), row.kernel.as_str()),
                Column::Time | Column::Share => (Some(row.ms), ""),
                Column::Bandwidth => (Some(row.gb_per_s), ""),
                Column::Arithmetic => (row.tflops, ""),
                Column::Ceiling => (row.ceiling_share, ""),
            }
        };
        order.sort_by(|&i, &j| match (key(i), key(j)) {
            ((Some(a), a_text), (Some(b), b_text)) => {
                let ordering = a.total_cmp(&b).then(a_text.cmp(b_text));
                if self.is_reversed { ordering.reverse() } else { ordering }
            }
            ((a, _), (b, _)) => b.is_some().cmp(&a.is_some()),
        });
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::{
        mode::{Mode, Precision, Variant},
        timing::TimingMethod,
    };

    fn sample(ms: &[f64], total_ms: f64, width: usize) -> Arc<LiveSample> {
        let step = |(at, &ms): (usize, &f64)| StepTiming {
            layer: format!("conv{}", at + 1),
            kernel: ["winograd", "pad", "direct"][at % 3].to_owned(),
            ms,
            flops: [3_000_000, 0, 5_000_000][at % 3],
            bytes: 1_000_000,
        };
        Arc::new(LiveSample {
            mode: Mode::new(Variant::Fused, Precision::Fp32),
            conv_provider: None,
            width,
            height: 10,
            method: TimingMethod::Host,
            total_ms,
            steps: ms.iter().enumerate().map(step).collect(),
            cost_ms: 0.0,
            session_bytes: 1,
            free_bytes: None,
        })
    }

    #[test]
    fn the_rows_are_all_of_a_run_on_the_processor() {
        let mut steps = Steps::default();
        // Another program delays different steps at different times.
        for ms in [[9.0, 1.0], [1.0, 9.0], [1.0, 1.0], [9.0, 1.0], [1.0, 9.0]] {
            steps.note(sample(&ms, ms[0] + ms[1] + 0.5, 10));
        }
        let table = steps.table.as_ref().expect("samples");
        assert_eq!(table.total_ms, 10.5);
        let rest = table.kernels.last().expect("rows");
        assert_eq!((rest.layer.as_str(), rest.ms), ("Between steps", 0.5));
        assert_eq!(table.sum_ms(), table.total_ms);
    }

    #[test]
    fn numbers_are_of_the_middle_of_the_last_samples() {
        let mut steps = Steps::default();
        for ms in [1.0, 9.0, 2.0] {
            steps.note(sample(&[ms, 2.0 * ms], 3.0 * ms, 10));
        }
        let table = steps.table.as_ref().expect("samples");
        assert_eq!((table.frames, table.total_ms), (3, 6.0));
        assert_eq!((table.kernels[0].ms, table.kernels[1].ms), (2.0, 4.0));
        assert_eq!(table.sum_ms(), 6.0);
        // Without steps, only the memory figures count.
        steps.note(sample(&[], 1.0, 10));
        assert_eq!(steps.table.as_ref().map(|t| t.frames), Some(3));
        assert_eq!(steps.newest.as_ref().map(|s| s.total_ms), Some(1.0));
        for _ in 0..20 {
            steps.note(sample(&[5.0, 5.0], 10.0, 10));
        }
        assert_eq!(steps.table.as_ref().map(|t| t.frames), Some(KEPT));
    }

    #[test]
    fn another_size_or_other_steps_start_again() {
        let mut steps = Steps::default();
        steps.note(sample(&[1.0], 1.0, 10));
        steps.note(sample(&[5.0], 5.0, 20));
        assert_eq!(steps.table.as_ref().map(|t| t.kernels[0].ms), Some(5.0));
        steps.note(sample(&[5.0, 6.0], 5.0, 20));
        assert_eq!(steps.table.as_ref().map(|t| (t.frames, t.kernels.len())), Some((1, 2)));
        steps.clear();
        assert!(steps.table.is_none() && steps.newest.is_none());
    }

    #[test]
    fn a_ceiling_counts_at_once() {
        let mut steps = Steps::default();
        steps.note(sample(&[1.0], 1.0, 10));
        let share = |steps: &Steps| steps.table.as_ref().and_then(|t| t.kernels[0].ceiling_share);
        assert_eq!(share(&steps), None);
        let ceiling = Ceiling { copy_gb_per_s: 2.0, peak_tflops: None, method: String::new() };
        steps.set_ceiling(Some(ceiling));
        assert_eq!(share(&steps), Some(0.5));
    }

    #[test]
    fn rows_are_sorted_by_what_was_clicked() {
        let mut steps = Steps::default();
        steps.note(sample(&[2.0, 3.0, 1.0, 3.0], 8.0, 10));
        let rows = &steps.table.as_ref().expect("samples").kernels;
        let mut sorting = Sorting::default();
        assert_eq!(sorting.order(rows), [0, 1, 2, 3]);
        sorting.click(Column::Time);
        assert_eq!(sorting.order(rows), [1, 3, 0, 2], "largest first");
        sorting.click(Column::Time);
        assert_eq!(sorting.order(rows), [2, 0, 1, 3]);
        sorting.click(Column::Kernel);
        assert_eq!(sorting.order(rows), [2, 1, 0, 3], "direct, pad, winograd");
        sorting.click(Column::Arithmetic);
        assert_eq!(sorting.order(rows), [2, 0, 3, 1], "what has none comes last");
        sorting.click(Column::Arithmetic);
        assert_eq!(sorting.order(rows), [3, 0, 2, 1], "either way");
        sorting.click(Column::Order);
        sorting.click(Column::Order);
        assert_eq!(sorting.order(rows), [3, 2, 1, 0]);
    }
}
