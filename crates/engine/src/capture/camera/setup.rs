//! What to do on a computer without a virtual camera: the commands for its distribution.

use std::{fs, path::Path};

/// The label of the device that the commands create, by which it is found and never offered as a source.
pub const LABEL: &str = "StyleForge";
/// The kernel module that makes virtual cameras.
const MODULE: &str = "v4l2loopback";
/// The last byte is 1 if Secure Boot is on.
const SECURE_BOOT: &str =
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Values of `ID` and `ID_LIKE` in `/etc/os-release`, and how the module gets onto such a system.
const INSTALL: [(&[&str], &str); 3] = [
    (&["debian", "ubuntu"], "sudo apt install v4l2loopback-dkms"),
    (
        &["fedora"],
        "sudo dnf install https://mirrors.rpmfusion.org/free/fedora/rpmfusion-free-release-$(rpm -E %fedora).noarch.rpm \
         && sudo dnf install akmod-v4l2loopback && sudo akmods",
    ),
    (&["arch"], "sudo pacman -S linux-headers v4l2loopback-dkms"),
];

/// What is known about this computer, and therefore what is left to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The command that installs the module, if the distribution is known.
    install: Option<&'static str>,
    is_installed: bool,
    is_loaded: bool,
    has_secure_boot: bool,
}

impl Setup {
    /// Looks at this computer.
    pub fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let release = read("/proc/sys/kernel/osrelease");
        let modules = read(&format!("/lib/modules/{}/modules.dep", release.trim()));
        Self {
            install: Self::install(&read("/etc/os-release")),
            is_installed: modules.contains(&format!("/{MODULE}.ko")),
            is_loaded: Path::new("/sys/module").join(MODULE).exists(),
            has_secure_boot: fs::read(SECURE_BOOT).is_ok_and(|value| value.last() == Some(&1)),
        }
    }

    fn install(os_release: &str) -> Option<&'static str> {
        let values = os_release.lines().filter_map(|line| {
            let value = line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE="))?;
            Some(value.trim_matches('"').split(' '))
        });
        let known = |id| INSTALL.iter().find(|(ids, _)| ids.contains(&id));
        values.flatten().find_map(known).map(|(_, install)| *install)
    }

    /// Why there is no virtual camera.
    pub fn reason(&self) -> &'static str {
        if cfg!(not(target_os = "linux")) {
            return "StyleForge writes to virtual cameras only on Linux";
        }
        match (self.is_loaded, self.is_installed, self.has_secure_boot) {
            (true, ..) => "no device of the kernel module v4l2loopback is free",
            (_, true, true) => {
                "the kernel module v4l2loopback is not loaded; Secure Boot may have refused it"
            }
            (_, true, false) => "the kernel module v4l2loopback is not loaded",
            _ => "v4l2loopback is not installed",
        }
    }

    /// The command that creates the device now.
    pub fn command(&self) -> String {
        let load = format!("sudo modprobe {MODULE} exclusive_caps=1 card_label=\"{LABEL}\"");
        match self.install {
            _ if self.is_loaded => format!("sudo modprobe -r {MODULE} && {load}"),
            Some(install) if !self.is_installed => format!("{install} && {load}"),
            _ => load,
        }
    }

    /// The command that creates the device at every start of the computer.
    pub fn command_at_start() -> String {
        format!(
            "echo {MODULE} | sudo tee /etc/modules-load.d/{MODULE}.conf; \
             echo 'options {MODULE} exclusive_caps=1 card_label=\"{LABEL}\"' | sudo tee /etc/modprobe.d/{MODULE}.conf"
        )
    }

    /// Everything to do, in order, as text and commands.
    pub fn steps(&self) -> Vec<String> {
        if cfg!(not(target_os = "linux")) {
            return Vec::new();
        }
        let mut steps = Vec::new();
        if self.install.is_none() && !self.is_installed && !self.is_loaded {
            steps.extend(
                INSTALL.map(|(ids, install)| format!("on {}: {install}", ids.join(" and "))),
            );
        }
        steps.push(format!("create the device: {}", self.command()));
        steps.push(format!("to keep it after a restart: {}", Self::command_at_start()));
        if self.has_secure_boot && !self.is_loaded {
            steps.push(
                "Secure Boot is on: if modprobe reports \"Key was rejected by service\", run sudo mokutil --import with the \
                 key that signs your modules (/var/lib/dkms/mok.pub, on Ubuntu /var/lib/shim-signed/mok/MOK.der, on Fedora \
                 /etc/pki/akmods/certs/public_key.der), restart and confirm the key"
                    .to_owned(),
            );
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(os_release: &str) -> Setup {
        Setup { install: Setup::install(os_release), ..Setup::default() }
    }

    #[test]
    fn every_distribution_has_its_own_commands() {
        let load = "sudo modprobe v4l2loopback exclusive_caps=1 card_label=\"StyleForge\"";
        for (os_release, install) in [
            ("NAME=x\nID=debian\n", "apt install v4l2loopback-dkms"),
            ("ID=ubuntu\nID_LIKE=debian\n", "apt install v4l2loopback-dkms"),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt install v4l2loopback-dkms"),
            ("ID=fedora\n", "dnf install akmod-v4l2loopback"),
            ("ID=\"manjaro\"\nID_LIKE=arch\n", "pacman -S linux-headers v4l2loopback-dkms"),
        ] {
            let command = on(os_release).command();
            assert!(command.contains(install) && command.ends_with(load), "{command}");
        }
        let unknown = on("ID=slackware\n");
        assert_eq!(unknown.command(), load);
        let steps = unknown.steps().join("\n");
        assert!(INSTALL.iter().all(|(_, install)| steps.contains(install)), "{steps}");
    }

    #[test]
    fn only_what_is_left_to_do_is_named() {
        let debian = on("ID=debian");
        let installed = Setup { is_installed: true, ..debian.clone() };
        assert!(!installed.command().contains("apt"));
        assert!(installed.reason().ends_with("is not loaded"));
        let refused = Setup { has_secure_boot: true, ..installed.clone() };
        assert!(refused.reason().contains("Secure Boot"));
        assert!(refused.steps().join("\n").contains("mokutil --import"));
        assert!(!installed.steps().join("\n").contains("mokutil"));
        let loaded = Setup { is_loaded: true, ..refused };
        assert!(loaded.command().starts_with("sudo modprobe -r v4l2loopback && "));
        assert!(!loaded.steps().join("\n").contains("Secure Boot"));
        assert!(debian.reason().ends_with("is not installed"));
    }
}
