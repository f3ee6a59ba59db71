//! Whether this is a container, and whose.

use std::{fs, path::Path};

/// A container, as far as it can be told from within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// What made it: `docker`, `podman`, `lxc`, …
    pub maker: String,
    /// The file that tells.
    pub told_by: &'static str,
}

const ENVIRONMENT: &str = "/proc/1/environ";
const CGROUPS: &str = "/proc/1/cgroup";
const SYSTEMD: &str = "/run/systemd/container";

/// Files that mark a container, and what puts them there.
const MARKS: [(&str, &str); 2] = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];

/// Parts of the first process's cgroups, and what names them so.
const NAMES: [(&str, &str); 6] = [
    ("kubepods", "kubernetes"),
    ("libpod", "podman"),
    ("docker", "docker"),
    ("/lxc", "lxc"),
    ("containerd", "containerd"),
    ("crio", "cri-o"),
];

/// The container that this process runs in; `None`: none that shows.
pub fn container() -> Option<Container> {
    let found = |maker: &str, told_by| Container {
        maker: maker.to_owned(),
        told_by,
    };
    if let Some((mark, maker)) = MARKS.iter().find(|(mark, _)| Path::new(mark).exists()) {
        return Some(found(maker, mark));
    }
    let environment = fs::read(ENVIRONMENT).unwrap_or_default();
    if let Some(maker) = of_environment(&environment) {
        return Some(found(&maker, ENVIRONMENT));
    }
    let systemd = fs::read_to_string(SYSTEMD).unwrap_or_default();
    if !systemd.trim().is_empty() {
        return Some(found(systemd.trim(), SYSTEMD));
    }
    let cgroups = fs::read_to_string(CGROUPS).unwrap_or_default();
    of_cgroups(&cgroups).map(|maker| found(maker, CGROUPS))
}

/// Container managers tell the first process by the variable `container`.
fn of_environment(environment: &[u8]) -> Option<String> {
    let value = environment
        .split(|byte| *byte == 0)
        .find_map(|variable| variable.strip_prefix(b"container="))?;
    (!value.is_empty()).then(|| String::from_utf8_lossy(value).into_owned())
}

fn of_cgroups(cgroups: &str) -> Option<&'static str> {
    let (_, maker) = NAMES.iter().find(|(part, _)| cgroups.contains(part))?;
    Some(maker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments() {
        for (environment, maker) in [
            (&b"HOME=/\0container=lxc\0A=b\0"[..], Some("lxc")),
            (b"container=\0", None),
            (b"mycontainer=x\0", None),
            (b"", None),
        ] {
            assert_eq!(of_environment(environment).as_deref(), maker);
        }
    }

    #[test]
    fn cgroups() {
        for (cgroups, maker) in [
            ("12:pids:/docker/0123abcd\n", Some("docker")),
            ("0::/kubepods/burstable/pod1/0123\n", Some("kubernetes")),
            ("0::/machine.slice/libpod-0123.scope\n", Some("podman")),
            ("0::/lxc.payload.web\n", Some("lxc")),
            ("0::/init.scope\n", None),
            ("0::/\n", None),
        ] {
            assert_eq!(of_cgroups(cgroups), maker, "{cgroups:?}");
        }
    }
}
