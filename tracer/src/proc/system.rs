//! What this process may do and what the machine is set to: capabilities, confinement, settings of
//! the kernel.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read as _},
};

/// A capability that something of tracer's asks for; its number is that of capabilities(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Capability {
    /// Reading files and directories whatever their permissions say.
    DacReadSearch = 2,
    /// Looking into other processes.
    SysPtrace = 19,
    /// Everything that has no capability of its own, BPF and perf included.
    SysAdmin = 21,
    /// Kernel addresses and the kernel's log.
    Syslog = 34,
    /// Perf events, and BPF programs that observe.
    Perfmon = 38,
    /// BPF maps and programs.
    Bpf = 39,
    /// Checkpoints of processes, and so the files that they have mapped.
    CheckpointRestore = 40,
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Every one that there may be.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether one is in it.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u32 != 0
    }

    /// The same set without one.
    pub fn without(self, capability: Capability) -> Self {
        Self(self.0 & !(1 << capability as u32))
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Syslog => "CAP_SYSLOG",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
            Self::CheckpointRestore => "CAP_CHECKPOINT_RESTORE",
        })
    }
}

/// What confines this process, as `/proc/self/status` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// The effective user.
    pub user: u32,
    /// The capabilities that it has.
    pub effective: Capabilities,
    /// Those that it and its children can ever have.
    pub bounding: Capabilities,
    /// Whether a seccomp filter looks at its system calls.
    pub filtered: bool,
    /// Whether programs that it starts gain nothing by being set-user-ID or by file capabilities.
    pub no_new_privileges: bool,
}

/// Those of this process.
pub fn privileges() -> Privileges {
    parse_privileges(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

fn parse_privileges(status: &str) -> Privileges {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.strip_prefix(':'))
            .map_or("", str::trim)
    };
    let set = |name| Capabilities(u64::from_str_radix(field(name), 16).unwrap_or(0));
    let user = field("Uid").split_ascii_whitespace().nth(1);
    Privileges {
        // Real, effective, saved, of the file system.
        user: user.and_then(|user| user.parse().ok()).unwrap_or(u32::MAX),
        effective: set("CapEff"),
        bounding: set("CapBnd"),
        filtered: field("Seccomp") == "2",
        no_new_privileges: field("NoNewPrivs") == "1",
    }
}

/// Whether users here, and so capabilities, are others than the kernel's own.
pub fn in_user_namespace() -> bool {
    // `PROC_USER_INIT_INO` of the kernel: the first namespace always has this inode.
    const FIRST: &str = "user:[4026531837]";
    fs::read_link("/proc/self/ns/user").is_ok_and(|namespace| namespace.as_os_str() != FIRST)
}

/// What the kernel protects itself from, root included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockdown {
    /// Nothing.
    None,
    /// Being changed.
    Integrity,
    /// Being read, too.
    Confidentiality,
}

/// The kernel's lockdown; `None`: it has none, or does not tell.
pub fn lockdown() -> Option<Lockdown> {
    parse_lockdown(&fs::read_to_string("/sys/kernel/security/lockdown").ok()?)
}

/// `none [integrity] confidentiality`: the one in brackets holds.
fn parse_lockdown(text: &str) -> Option<Lockdown> {
    let chosen = text.split_once('[')?.1.split_once(']')?.0;
    match chosen {
        "none" => Some(Lockdown::None),
        "integrity" => Some(Lockdown::Integrity),
        "confidentiality" => Some(Lockdown::Confidentiality),
        _ => None,
    }
}

/// A numeric setting below `/proc/sys`, by its name with dots; `None`: there is none, or it may not
/// be read.
pub fn setting(name: &str) -> Option<i64> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether `/proc/kallsyms` shows this process the addresses of kernel functions.
pub fn kernel_functions_shown() -> io::Result<bool> {
    const ENOUGH: u64 = 1 << 16;
    let mut text = Vec::new();
    File::open("/proc/kallsyms")?
        .take(ENOUGH)
        .read_to_end(&mut text)?;
    Ok(shows_functions(&text))
}

/// To those who may not see addresses, all of them are 0.
fn shows_functions(kallsyms: &[u8]) -> bool {
    kallsyms.split(|byte| *byte == b'\n').any(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let (address, kind) = (fields.next(), fields.next());
        matches!(kind, Some(b"t" | b"T"))
            && address.is_some_and(|address| address.iter().any(|digit| *digit != b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: &str = "Name:\ta\nUid:\t65534\t65533\t65534\t65534\nCapInh:\t0000000000000000\n\
        CapPrm:\t000000c000000000\nCapEff:\t000000c000000000\nCapBnd:\t000001fffeffffff\n\
        NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    #[test]
    fn privileges_are_read() {
        let read = parse_privileges(NOBODY);
        assert_eq!(read.user, 65533);
        assert!(read.filtered && read.no_new_privileges);
        for (capability, held) in [
            (Capability::Bpf, true),
            (Capability::Perfmon, true),
            (Capability::Syslog, false),
            (Capability::SysAdmin, false),
            (Capability::CheckpointRestore, false),
        ] {
            assert_eq!(read.effective.has(capability), held, "{capability}");
            assert!(read.bounding.has(capability), "{capability}");
        }
        assert!(!read.effective.without(Capability::Bpf).has(Capability::Bpf));
    }

    #[test]
    fn what_is_not_told_is_not_held() {
        let read = parse_privileges("Seccomp:\t0\nNoNewPrivs:\t0\nCapEff:\tx\n");
        assert!(!read.filtered && !read.no_new_privileges);
        assert_eq!(read.effective, Capabilities::default());
        assert_eq!(read.user, u32::MAX);
    }

    #[test]
    fn lockdowns() {
        for (text, expected) in [
            ("[none] integrity confidentiality\n", Some(Lockdown::None)),
            (
                "none [integrity] confidentiality\n",
                Some(Lockdown::Integrity),
            ),
            (
                "none integrity [confidentiality]\n",
                Some(Lockdown::Confidentiality),
            ),
            ("none\n", None),
            ("[new]\n", None),
            ("", None),
        ] {
            assert_eq!(parse_lockdown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn hidden_functions() {
        for (text, shown) in [
            (
                "0000000000000000 A percpu\nffffffff81000000 T _text\n",
                true,
            ),
            ("ffffffff81000000 t helper", true),
            (
                "0000000000000000 T _text\n0000000000000000 t helper\n",
                false,
            ),
            ("ffffffff81000000 D data\n", false),
            ("", false),
            ("garbage\n \n", false),
        ] {
            assert_eq!(shows_functions(text.as_bytes()), shown, "{text:?}");
        }
    }

    #[test]
    fn settings_have_numbers() {
        assert!(setting("kernel.pid_max").is_some_and(|most| most > 0));
        assert_eq!(setting("kernel.no_such_setting"), None);
        assert_eq!(setting("kernel.ostype"), None);
    }
}
