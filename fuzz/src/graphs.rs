#[path = "../../tests/support/hostile_graphs.rs"]
mod hostile;

use std::sync::OnceLock;

use backend::cpu::CpuBackend;

/// Plans a graph of any operations and numbers, and runs it on the CPU. Each run ends with a picture or an error. The
/// address sanitizer checks that no kernel leaves its maps.
pub fn graphs(bytes: &[u8]) {
    static BACKENDS: OnceLock<Vec<CpuBackend>> = OnceLock::new();
    let backends =
        BACKENDS.get_or_init(|| CpuBackend::for_each_instruction_set(Some(1)).unwrap_or_default());
    hostile::try_graph(&mut hostile::Draw(bytes.iter()), &hostile::DEVICES, backends);
}
