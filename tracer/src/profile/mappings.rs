//! Which file is at which address of one address space.
//!
//! Owns cutting and looking up. Knows no process and no image: when these mappings hold is decided
//! elsewhere.

use super::{Dso, DsoId};

/// A mapping in terms of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where in the file `start` is.
    pub(super) file_offset: u64,
    pub(super) time_ns: u64,
    pub(super) dso: DsoId,
    pub(super) backing: Backing,
}

/// Where the code of a mapping comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backing {
    /// A file, or the kernel's own vDSO: offsets mean something outside the process.
    File,
    /// Memory that the process wrote itself.
    Memory,
}

/// Mappings that do not overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct Mappings(Vec<Range>);

impl Backing {
    /// As the kernel's names tell. Shared memory has an inode, and no file that anybody could
    /// read symbols from.
    pub(super) fn of(dso: &Dso) -> Self {
        const MEMORY: [&[u8]; 4] = [b"/memfd:", b"/SYSV", b"/dev/zero", b"/anon_hugepage"];
        let path = dso.path.as_slice();
        if path == b"[vdso]" || path == b"[vsyscall]" {
            Self::File
        } else if dso.inode == 0 || MEMORY.iter().any(|prefix| path.starts_with(prefix)) {
            Self::Memory
        } else {
            Self::File
        }
    }
}

impl Mappings {
    /// Enters a mapping; older ones under it are cut, or gone.
    pub(super) fn insert(&mut self, range: Range) {
        if range.start >= range.end {
            return;
        }
        let first = self.0.partition_point(|old| old.end <= range.start);
        let after = first + self.0[first..].partition_point(|old| old.start < range.end);
        let before_cut = self
            .0
            .get(first)
            .filter(|old| old.start < range.start)
            .map(|old| Range {
                end: range.start,
                ..*old
            });
        let after_cut = self.0[first..after]
            .last()
            .filter(|old| old.end > range.end)
            .map(|old| {
                let file_offset = old.file_offset.wrapping_add(range.end - old.start);
                Range {
                    start: range.end,
                    file_offset,
                    ..*old
                }
            });
        let new = before_cut.into_iter().chain([range]).chain(after_cut);
        self.0.splice(first..after, new);
    }

    /// Takes `all` as what was there at a time; mappings that are newer than that lie on top.
    pub(super) fn replace(&mut self, all: impl IntoIterator<Item = Range>, time_ns: u64) {
        let mut newer: Vec<Range> = std::mem::take(&mut self.0);
        newer.retain(|range| range.time_ns > time_ns);
        newer.sort_by_key(|range| range.time_ns);
        all.into_iter()
            .chain(newer)
            .for_each(|range| self.insert(range));
        // Most processes map nothing executable after they have begun.
        self.0.shrink_to_fit();
    }

    /// The mapping that an address is in.
    pub(super) fn find(&self, address: u64) -> Option<&Range> {
        let index = self.0.partition_point(|range| range.end <= address);
        self.0.get(index).filter(|range| range.start <= address)
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Range>()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Range> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64, dso: u32, time_ns: u64) -> Range {
        Range {
            start,
            end,
            file_offset: 0,
            time_ns,
            dso: DsoId(dso),
            backing: Backing::File,
        }
    }

    /// Mappings as `start-end:dso@offset`.
    fn shown(mappings: &Mappings) -> String {
        let shown = mappings.iter().map(|range| {
            format!(
                "{}-{}:{}@{}",
                range.start, range.end, range.dso.0, range.file_offset
            )
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn later_mappings_cut_earlier_ones() {
        let cases: [(&[(u64, u64)], &str); 9] = [
            (&[(10, 20), (30, 40)], "10-20:0@0 30-40:1@0"),
            (&[(30, 40), (10, 20)], "10-20:1@0 30-40:0@0"),
            (&[(10, 40), (20, 30)], "10-20:0@0 20-30:1@0 30-40:0@20"),
            (&[(10, 30), (20, 40)], "10-20:0@0 20-40:1@0"),
            (&[(20, 40), (10, 30)], "10-30:1@0 30-40:0@10"),
            (
                &[(10, 20), (20, 30), (30, 40), (15, 35)],
                "10-15:0@0 15-35:3@0 35-40:2@5",
            ),
            (&[(10, 20), (10, 20)], "10-20:1@0"),
            (&[(10, 20), (0, 100)], "0-100:1@0"),
            (&[(10, 20), (15, 15), (18, 12)], "10-20:0@0"),
        ];
        for (inserted, expected) in cases {
            let mut mappings = Mappings::default();
            for (dso, &(start, end)) in (0..).zip(inserted) {
                mappings.insert(range(start, end, dso, 0));
            }
            assert_eq!(shown(&mappings), expected, "{inserted:?}");
        }
    }

    #[test]
    fn an_address_is_in_the_mapping_that_covers_it() {
        let mut mappings = Mappings::default();
        mappings.insert(range(10, 20, 0, 0));
        mappings.insert(range(20, 30, 1, 0));
        let cases = [
            (9, None),
            (10, Some(0)),
            (19, Some(0)),
            (20, Some(1)),
            (30, None),
        ];
        for (address, expected) in cases {
            assert_eq!(
                mappings.find(address).map(|range| range.dso.0),
                expected,
                "{address}"
            );
        }
    }

    #[test]
    fn what_is_newer_than_a_snapshot_lies_on_top() {
        let mut mappings = Mappings::default();
        mappings.insert(range(10, 20, 0, 1));
        mappings.insert(range(30, 40, 1, 9));
        mappings.replace([range(5, 50, 2, 5)], 5);
        assert_eq!(shown(&mappings), "5-30:2@0 30-40:1@0 40-50:2@35");
    }

    #[test]
    fn only_files_have_offsets() {
        let cases: [(&str, u64, Backing); 11] = [
            ("/usr/bin/gzip", 7, Backing::File),
            ("/usr/bin/gone (deleted)", 7, Backing::File),
            ("[vdso]", 0, Backing::File),
            ("[vsyscall]", 0, Backing::File),
            ("//anon", 0, Backing::Memory),
            ("[heap]", 0, Backing::Memory),
            ("", 0, Backing::Memory),
            ("/memfd:jit (deleted)", 7, Backing::Memory),
            ("/dev/zero (deleted)", 7, Backing::Memory),
            ("/SYSV00000000 (deleted)", 7, Backing::Memory),
            ("/anon_hugepage (deleted)", 7, Backing::Memory),
        ];
        for (path, inode, expected) in cases {
            let dso = Dso {
                path: path.into(),
                device: (8, 1),
                inode,
            };
            assert_eq!(Backing::of(&dso), expected, "{path}");
        }
    }
}
