//! Why the kernel refused, in words that name the remedy.

use std::io;

use crate::proc;

/// What went wrong at the border, with the remedy where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user may not load programs.
    #[error(
        "{what}: permission denied; run tracer as root (sudo), or give it CAP_BPF and CAP_PERFMON, and CAP_SYSLOG for the kernel's names"
    )]
    Denied {
        /// What was tried.
        what: &'static str,
    },
    /// Root, and still refused: lockdown, a container's seccomp filter, or a sysctl.
    #[error(
        "{what}: refused although the user is privileged ({source}); a container needs --privileged, and kernel lockdown (/sys/kernel/security/lockdown) must not be 'confidentiality'"
    )]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No bpf(2).
    #[error(
        "this kernel has no BPF; it needs CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS (Linux 5.17 or newer)"
    )]
    NoBpf,
    /// Something that the kernel has since a later version.
    #[error("{what} needs Linux {} or newer, and this is {running}", version(*needed))]
    TooOld {
        /// What was asked for.
        what: &'static str,
        /// The version that has it.
        needed: (u32, u32),
        /// The version that runs.
        running: String,
    },
    /// No type information.
    #[error(
        "this kernel has no type information (/sys/kernel/btf/vmlinux: {0}); it needs CONFIG_DEBUG_INFO_BTF, and /sys mounted"
    )]
    NoBtf(String),
    /// The kernel's PIDs are not the ones that are seen here.
    #[error(
        "tracer runs in a PID namespace, and the kernel would tell it other PIDs than the ones seen here; run it outside, or start the container with the host's PIDs (docker run --pid=host --privileged)"
    )]
    PidNamespace,
    /// The type information lacks something.
    #[error(
        "this kernel's type information has no {0}; please report this with the output of 'uname -a'"
    )]
    UnknownKernel(&'static str),
    /// Probes in user code do not exist.
    #[error(
        "this kernel has no probes in user code (/sys/bus/event_source/devices/uprobe); it needs CONFIG_UPROBE_EVENTS"
    )]
    NoUprobes,
    /// Probes were attached, and what they should have seen did not arrive.
    #[error(
        "probes in this very program did not see its calls ({0}); please report this with the output of 'uname -a'"
    )]
    Silent(String),
    /// The verifier said no.
    #[error(
        "the kernel refused program {program}: {source}; please report this with the output of 'uname -a'\n{log}"
    )]
    Verifier {
        /// The program.
        program: String,
        /// The kernel's answer.
        source: io::Error,
        /// The end of the verifier's log.
        log: String,
    },
    /// The embedded object is not what this binary expects.
    #[error("the embedded BPF object is unusable: {0}; rebuild it with 'cargo xtask ebpf'")]
    Object(String),
    /// The event that was asked for is not there.
    #[error("this machine has no event '{0}'; use -e cpu-clock")]
    NoEvent(&'static str),
    /// Anything else.
    #[error("{what}: {source}")]
    Os {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

fn version((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

/// A result at the border.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Sorts the kernel's answer to `what`.
    /// Whether the running kernel is new enough for something.
    pub fn check_version(what: &'static str, needed: (u32, u32)) -> Result<()> {
        match proc::kernel_version() {
            Some(version) if version < needed => Err(Self::TooOld {
                what,
                needed,
                running: proc::kernel_release(),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn from_os(what: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) if !rustix::process::geteuid().is_root() => {
                Self::Denied { what }
            }
            Some(libc::EPERM | libc::EACCES) => Self::Refused { what, source },
            Some(libc::ENOSYS) => Self::NoBpf,
            _ => Self::Os { what, source },
        }
    }
}
