//! Names in the kernel.

use tracer::symbol::{NoName, Settings};

use crate::fixture::{Want, ask, is_root, names, symbolizer};

#[test]
fn schedule_is_found_or_said_to_be_hidden() {
    let kallsyms = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let line = kallsyms.lines().find(|line| line.ends_with(" T schedule"));
    let address = line.map_or(0, |line| u64::from_str_radix(&line[..16], 16).unwrap());
    let wants = [Want::Kernel(address.max(1) + 4), Want::Kernel(5)];
    let answers = ask(&mut symbolizer(Settings::default()), &wants);
    if address == 0 {
        is_root("a kernel that shows its addresses");
        assert_eq!(
            answers,
            [Err(NoName::KernelHidden), Err(NoName::KernelHidden)]
        );
    } else {
        assert_eq!(names(&answers[0]), ["schedule"]);
        assert_eq!(answers[1], Err(NoName::NotInKernel));
    }
}
