//! How `--attention` applies to the device and the networks of a command.

use itertools::Itertools;

use super::terminal::write_note;
use backend::Backend;
use network::Network;
use values::mode::{AttentionChoice, DeviceChoice, Mode, ModeChoice};

/// Maximum number of networks that a message names.
const MAX_NAMED: usize = 3;

/// Combines each of `modes` with each of the chosen attention kernels, or with the variant's own if none is chosen.
/// Modes that become equal, because the device or the network has no choice, appear once.
pub fn in_every_way(
    backend: &dyn Backend,
    network: &Network,
    modes: &[Mode],
    chosen: &[AttentionChoice],
) -> Vec<Mode> {
    let chosen = match chosen {
        [] => &[AttentionChoice::Auto],
        chosen => chosen,
    };
    let mode = |(mode, &attention): (&Mode, _)| {
        let choice = ModeChoice::from(mode.with_attention(attention));
        network.mode(backend.mode(choice))
    };
    modes.iter().cartesian_product(chosen).map(mode).unique().collect()
}

/// Prints a note if a choice has no effect: on a CPU, and in networks without attention.
pub fn announce(device: DeviceChoice, chosen: &[AttentionChoice], networks: &[(&str, &Network)]) {
    if let Some(why) = without_effect(device, chosen, networks) {
        write_note(why);
    }
}

fn without_effect(
    device: DeviceChoice,
    chosen: &[AttentionChoice],
    networks: &[(&str, &Network)],
) -> Option<String> {
    if chosen.iter().all(|&choice| choice == AttentionChoice::Auto) {
        return None;
    }
    if device == DeviceChoice::Cpu {
        let why = "--attention has no effect: the CPU has one way to compute attention";
        return Some(why.to_owned());
    }
    let without: Vec<&str> = (networks.iter())
        .filter(|(_, network)| !network.graph().has_attention())
        .map(|&(name, _)| name)
        .collect();
    let them = if without.len() == networks.len() { "" } else { " there" };
    let who = match without[..] {
        [] => return None,
        [name] => format!("{name} has"),
        _ if without.len() <= MAX_NAMED => format!("{} have", without.join(", ")),
        _ => format!("{} of {} networks have", without.len(), networks.len()),
    };
    Some(format!("{who} no attention: --attention does nothing{them}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fake::FakeBackend;
    use backend::cpu::CpuBackend;
    use network::models;
    use values::mode::{AttentionKernel, ModelSize, Precision, Variant};
    use weights::StyleNetwork;

    const FLASH: AttentionChoice = AttentionChoice::Fixed(AttentionKernel::Flash);

    fn with_attention() -> Network {
        let transformer = StyleNetwork::built_in().expect("the network").transformer;
        let code = transformer.made_up_code().expect("a code");
        transformer.network(&code).expect("a network")
    }

    #[test]
    fn a_choice_without_effect_is_reported_once() {
        let candy = models::random(ModelSize::Lite, 1).expect("a network");
        let any = with_attention();
        let said = |device, chosen: &[AttentionChoice], networks: &[(&str, &Network)]| {
            without_effect(device, chosen, networks).unwrap_or_default()
        };
        let gpu = |networks: &[(&str, &Network)]| said(DeviceChoice::Cuda, &[FLASH], networks);
        assert_eq!(gpu(&[("Candy", &candy)]), "Candy has no attention: --attention does nothing");
        assert_eq!(
            gpu(&[("Candy", &candy), ("any", &any), ("Udnie", &candy)]),
            "Candy, Udnie have no attention: --attention does nothing there"
        );
        let many = ["a", "b", "c", "d"].map(|name| (name, &candy));
        assert_eq!(gpu(&many), "4 of 4 networks have no attention: --attention does nothing");
        assert_eq!(gpu(&[("any", &any)]), "");
        assert_eq!(
            said(DeviceChoice::Cpu, &[FLASH], &[("any", &any)]),
            "--attention has no effect: the CPU has one way to compute attention"
        );
        for chosen in [&[][..], &[AttentionChoice::Auto]] {
            assert_eq!(said(DeviceChoice::Cpu, chosen, &[("Candy", &candy)]), "");
        }
    }

    #[test]
    fn every_kernel_is_measured_if_several_exist() {
        // It leaves modes as they are, as GPUs do.
        let gpu = FakeBackend::new(&Arc::default());
        let processor = CpuBackend::new(Some(1)).expect("threads");
        let (candy, any) =
            (models::random(ModelSize::Lite, 1).expect("a network"), with_attention());
        let modes = [Variant::Baseline, Variant::Fused].map(|v| Mode::new(v, Precision::Fp16));
        let names = |backend: &dyn Backend, network, chosen: &[AttentionChoice]| {
            in_every_way(backend, network, &modes, chosen)
                .iter()
                .map(Mode::to_string)
                .collect::<Vec<_>>()
        };
        let plain = ["baseline fp16", "fused fp16"];
        assert_eq!(names(&gpu, &any, &[]), plain);
        let both = [AttentionChoice::Auto, FLASH];
        assert_eq!(names(&gpu, &candy, &both), plain);
        assert_eq!(names(&processor, &any, &both), plain);
        assert_eq!(
            names(&gpu, &any, &both),
            [
                "baseline fp16",
                "baseline fp16, flash attention",
                "fused fp16",
                "fused fp16, flash attention"
            ]
        );
    }
}
