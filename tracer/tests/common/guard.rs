//! Whether this machine and this user can run the kernel tests, and that they run one at a time.

use std::env;
use std::fs::{self, File};
use std::io::Write as _;

use super::stats;

/// The kernel for one test: others wait, in other processes too.
pub(crate) struct Kernel {
    _lock: File,
}

/// Bits of capabilities(7).
const SYS_ADMIN: u32 = 21;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

/// None where the kernel cannot be used; then the test says so and passes, unless
/// `TRACER_REQUIRE_KERNEL` or `CI` asks for failure.
pub(crate) fn kernel(test: &str) -> Option<Kernel> {
    if let Some(reason) = missing() {
        let required =
            |name: &str| env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
        assert!(
            !required("TRACER_REQUIRE_KERNEL") && !required("CI"),
            "{test} cannot be skipped here, and {reason}"
        );
        // Past the capture of test output: that a test was skipped must be seen.
        let line = format!("{test}: skipped: {reason}\n");
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("standard error takes a line");
        return None;
    }
    let path = env::temp_dir().join("tracer-kernel-tests.lock");
    let lock = File::create(&path).expect("the lock file can be written");
    lock.lock().expect("the lock file can be locked");
    stats::begin();
    Some(Kernel { _lock: lock })
}

fn missing() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    if !may_load_programs(&status) {
        return Some("needs root (or CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON)".to_owned());
    }
    let types = "/sys/kernel/btf/vmlinux";
    fs::metadata(types)
        .is_err()
        .then(|| format!("needs a kernel with type information ({types})"))
}

fn may_load_programs(status: &str) -> bool {
    let digits = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = digits
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .unwrap_or(0);
    let has = |bit: u32| held & (1 << bit) != 0;
    has(SYS_ADMIN) || (has(BPF) && has(PERFMON))
}

#[test]
fn capabilities_decide() {
    assert!(may_load_programs("Name:\ta\nCapEff:\t000001ffffffffff\n"));
    assert!(may_load_programs("CapEff:\t000000c000000000\n"));
    assert!(!may_load_programs("CapEff:\t0000008000000000\n"));
    assert!(!may_load_programs("CapEff:\t0000000000000000\n"));
}
