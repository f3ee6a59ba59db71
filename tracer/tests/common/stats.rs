//! Judging counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Time that the hypervisor had taken when the test began.
static STOLEN_BEFORE_NS: AtomicU64 = AtomicU64::new(0);

/// To be called when a test begins that will judge samples by CPU time.
pub(crate) fn begin() {
    STOLEN_BEFORE_NS.store(stolen_ns(), Ordering::Relaxed);
}

/// Panics unless the samples are CPU time × frequency, within 5 %. What the hypervisor takes away
/// meanwhile is no CPU time to the kernel (`PARAVIRT_TIME_ACCOUNTING`), but timers run on: there
/// may be as many samples more.
#[track_caller]
pub(crate) fn assert_cpu_time(samples: u64, cpu_ns: u64, hz: u32) {
    let in_samples = |ns: u64| ns as f64 / 1e9 * f64::from(hz);
    let expected = in_samples(cpu_ns);
    let stolen = in_samples(stolen_ns().saturating_sub(STOLEN_BEFORE_NS.load(Ordering::Relaxed)));
    let samples = samples as f64;
    assert!(
        samples >= expected * 0.95 && samples <= expected * 1.05 + stolen,
        "{samples} samples, where {:.3} s of CPU time at {hz} Hz are {expected:.0}, \
         and time stolen meanwhile {stolen:.0}",
        cpu_ns as f64 / 1e9
    );
}

/// The eighth number of the sum over all CPUs, in ticks of 10 ms.
fn stolen_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").expect("/proc is mounted");
    let ticks = stat
        .split_ascii_whitespace()
        .nth(8)
        .and_then(|ticks| ticks.parse::<u64>().ok());
    ticks.expect("a number of ticks") * 10_000_000
}

/// Panics unless both percentages are as near as this many points.
#[track_caller]
pub(crate) fn assert_points(found: f64, expected: f64, points: f64, what: &str) {
    assert!(
        within(found, expected, points),
        "{what}: {found:.2} %, expected {expected:.2} ± {points} %"
    );
}

fn within(found: f64, expected: f64, distance: f64) -> bool {
    (found - expected).abs() <= distance
}

#[test]
fn five_percent_are_allowed() {
    begin();
    assert_cpu_time(95, 1_000_000_000, 100);
    assert!(!within(94.0, 100.0, 5.0) && !within(106.0, 100.0, 5.0));
    assert_points(71.9, 70.0, 2.0, "x");
}
