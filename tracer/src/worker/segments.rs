//! File offset → ELF virtual address.

use object::{Object, ObjectSegment as _, SegmentFlags};

const PF_X: u32 = 1;

/// The loadable segments of an ELF file.
#[derive(Debug, Default)]
pub(super) struct Segments {
    page: u64,
    loaded: Vec<Segment>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    offset: u64,
    size: u64,
    address: u64,
    executable: bool,
}

impl Segments {
    pub(super) fn of<'data>(elf: &impl Object<'data>) -> Self {
        let loaded = elf.segments().map(|segment| {
            let (offset, size) = segment.file_range();
            let executable =
                matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & PF_X != 0);
            Segment {
                offset,
                size,
                address: segment.address(),
                executable,
            }
        });
        Self {
            page: rustix::param::page_size() as u64,
            loaded: loaded.collect(),
        }
    }

    /// The address that the linker gave to the code at an offset in the file.
    ///
    /// LLD and mold let segments share pages of the file, so that an offset lies in the mappings
    /// of several: code is in an executable one, and of these in the one whose own bytes they are
    /// rather than in one that merely begins within the same page.
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        let end = |segment: &Segment| segment.offset.saturating_add(segment.size);
        let mapped = |segment: &&Segment| {
            segment.offset / self.page * self.page <= offset && offset < end(segment)
        };
        let code = || self.loaded.iter().filter(|segment| segment.executable);
        let segment = code()
            .find(|segment| segment.offset <= offset && offset < end(segment))
            .or_else(|| code().find(mapped))
            .or_else(|| self.loaded.iter().find(mapped))?;
        Some(
            segment
                .address
                .wrapping_add(offset.wrapping_sub(segment.offset)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(rows: &[(u64, u64, u64, bool)]) -> Segments {
        let loaded = rows
            .iter()
            .map(|&(offset, size, address, executable)| Segment {
                offset,
                size,
                address,
                executable,
            })
            .collect();
        Segments {
            page: 0x1000,
            loaded,
        }
    }

    #[test]
    fn gnu_ld_gives_each_segment_pages_of_its_own() {
        let ld = segments(&[
            (0, 0x5d8, 0x40_0000, false),
            (0x1000, 0x175, 0x40_1000, true),
        ]);
        assert_eq!(ld.address(0x1136), Some(0x40_1136));
        assert_eq!(ld.address(0x10), Some(0x40_0010));
        assert_eq!(ld.address(0x9000), None);
    }

    #[test]
    fn lld_puts_several_segments_into_one_page() {
        // `readelf -lW` of a program linked with LLD: R, RX, RW, each one page further in memory.
        let lld = segments(&[
            (0, 0x5ec, 0x20_0000, false),
            (0x5f0, 0x1a0, 0x20_15f0, true),
            (0x790, 0x180, 0x20_2790, false),
        ]);
        assert_eq!(lld.address(0x6f0), Some(0x20_16f0));
        // Before the segment, in the page that the kernel maps with it.
        assert_eq!(lld.address(0x5ee), Some(0x20_15ee));
    }

    #[test]
    fn of_two_executable_segments_the_one_that_holds_the_bytes() {
        let two = segments(&[
            (0x1000, 0x800, 0x1000, true),
            (0x1810, 0x700, 0x2_1810, true),
        ]);
        assert_eq!(two.address(0x1700), Some(0x1700));
        assert_eq!(two.address(0x1820), Some(0x2_1820));
    }

    #[test]
    fn hostile_tables_do_not_overflow() {
        let hostile = segments(&[(u64::MAX - 5, u64::MAX, u64::MAX, true)]);
        assert_eq!(hostile.address(0), None);
        assert!(hostile.address(u64::MAX - 1).is_some());
    }
}
