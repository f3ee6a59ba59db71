//! Which libraries a file needs, and where it says that they are.

use std::ops::Range;

use object::{
    LittleEndian as LE, ReadRef,
    elf::{self, ProgramHeader64},
    read::elf::{Dyn as _, ProgramHeader as _},
};

/// More libraries or directories than a file names.
const MAX_NAMES: usize = 512;

/// The longest name.
const MAX_NAME: u64 = 4096;

/// What the dynamic linker is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    /// The libraries that are needed, by soname.
    pub(super) needed: Vec<String>,
    /// Where they are looked for first, `$ORIGIN` and all.
    pub(super) directories: Vec<String>,
}

impl Links {
    /// Reads them; a file that is linked statically, or damaged there, has none.
    pub(super) fn read<'data>(
        data: impl ReadRef<'data>,
        programs: &'data [ProgramHeader64<LE>],
    ) -> Self {
        let dynamic = |program: &ProgramHeader64<LE>| program.dynamic(LE, data).ok().flatten();
        let Some(rows) = programs.iter().find_map(dynamic) else {
            return Self::default();
        };
        let value = |tag: i64| {
            let mut with_tag = rows.iter().filter(|row| row.d_tag(LE) == tag);
            with_tag.next().map(|row| row.d_val(LE))
        };
        let strings = value(elf::DT_STRTAB).and_then(|address| in_file(programs, address));
        let (Some(strings), Some(size)) = (strings, value(elf::DT_STRSZ)) else {
            return Self::default();
        };
        let strings = strings..strings.saturating_add(size);
        let text = |tag: i64| {
            let rows = rows.iter().filter(move |row| row.d_tag(LE) == tag);
            let names = rows.take(MAX_NAMES);
            names.filter_map(|row| string(data, &strings, row.d_val(LE)))
        };
        let runpath: Vec<String> = text(elf::DT_RUNPATH).chain(text(elf::DT_RPATH)).collect();
        let directories = runpath.iter().flat_map(|path| path.split(':'));
        let directories = directories.filter(|path| !path.is_empty());
        Self {
            needed: text(elf::DT_NEEDED).collect(),
            directories: directories.take(MAX_NAMES).map(str::to_owned).collect(),
        }
    }
}

fn in_file(programs: &[ProgramHeader64<LE>], address: u64) -> Option<u64> {
    let loaded = programs
        .iter()
        .filter(|program| program.p_type(LE) == elf::PT_LOAD);
    let mut offsets = loaded.filter_map(|program| {
        let behind = address.checked_sub(program.p_vaddr(LE))?;
        (behind < program.p_filesz(LE)).then(|| program.p_offset(LE).checked_add(behind))?
    });
    offsets.next()
}

fn string<'data>(data: impl ReadRef<'data>, strings: &Range<u64>, at: u64) -> Option<String> {
    let start = strings.start.checked_add(at)?;
    let end = strings.end.min(start.checked_add(MAX_NAME)?);
    (start < end).then_some(())?;
    let bytes = data.read_bytes_at_until(start..end, 0).ok()?;
    Some(std::str::from_utf8(bytes).ok()?.to_owned())
}
