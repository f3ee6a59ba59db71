//! One address at a time, as a profiler asks.

use std::fs;

use gimli::{BaseAddresses, EhFrame, EhFrameHdr, LittleEndian, UnwindContext, UnwindSection as _};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};
use tracer::unwind::Table;
use tracer_common::unwind as wire;

use super::oracle::{self, Said, Unbounded};

const FILES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
    "/usr/bin/gdb",
];
const ADDRESSES: u64 = 3000;
/// Bytes behind a function that may be what aligns the next one.
const PADDING: u64 = 15;

/// gimli finds the function by `.eh_frame_hdr`, which tables are not made from.
#[test]
fn the_code_at_an_address_is_what_gimli_finds_there() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let (mut known, mut asked) = (0, 0);
    for path in FILES {
        let Ok(bytes) = fs::read(path) else {
            continue;
        };
        let table = Table::of_image(&bytes).unwrap();
        let file = ElfFile64::<object::LittleEndian>::parse(&*bytes).unwrap();
        let section = |name| file.section_by_name(name).unwrap();
        let (hdr, frame) = (section(".eh_frame_hdr"), section(".eh_frame"));
        let bases = BaseAddresses::default()
            .set_eh_frame_hdr(hdr.address())
            .set_eh_frame(frame.address());
        let mut entries = EhFrame::new(frame.data().unwrap(), LittleEndian);
        entries.set_address_size(8);
        let hdr = EhFrameHdr::new(hdr.data().unwrap(), LittleEndian);
        let hdr = hdr.parse(&bases, 8).unwrap();
        let functions = hdr.table().unwrap();
        let mut context = UnwindContext::<usize, Unbounded>::new_in();
        let mut find = |address: u64| {
            let cie = EhFrame::cie_from_offset;
            let row = functions
                .unwind_info_for_address(&entries, &bases, &mut context, address, cie)
                .ok()?;
            Some(oracle::said(row, &entries))
        };
        let text = section(".text");
        let segments = oracle::segments(&file, bytes.len() as u64);
        asked += ADDRESSES;
        for _ in 0..ADDRESSES {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let address = text.address() + seed % text.size();
            let mut places = segments.iter();
            let offset = places.find_map(|segment| segment.place(address, 1));
            let code = table.code(offset.unwrap().start);
            let said = match code.checked_sub(wire::FIRST_RULE) {
                Some(rule) => Said::Rule(table.rules[rule as usize]),
                None => Said::Code(code),
            };
            match find(address) {
                Some(Said::Code(wire::CODE_UNSUPPORTED)) if code == wire::CODE_SIGNAL => {}
                Some(expected) => {
                    known += 1;
                    assert_eq!(said, expected, "{path} at {address:#x}");
                }
                None => {
                    let before = (1..=PADDING).find_map(|back| find(address - back));
                    let own = [wire::CODE_NONE, wire::CODE_STOP, wire::CODE_SIGNAL];
                    let explained = own.contains(&code) || before == Some(said);
                    assert!(explained, "{path} at {address:#x}: {said:?}");
                }
            }
        }
    }
    assert!(
        known > asked / 2,
        "{known} of {asked} addresses are in functions"
    );
}
