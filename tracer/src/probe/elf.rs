//! An ELF file: its functions, its code, and where in the file an address is.
//!
//! The file may be anybody's: nothing is mapped, what is read is bounded, and what it says about
//! itself is checked.

use std::{
    cell::OnceCell,
    fs::File,
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use object::{
    LittleEndian as LE, ReadRef,
    elf::{self, FileHeader64, ProgramHeader64, SectionHeader64},
    read::{
        ReadCache,
        elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _, SectionTable},
    },
};

use super::{
    links::Links,
    symbols::{Kind, Symbol, Symbols},
    text::Text,
};

/// The most that is read of a file at once.
const MAX_READ: u64 = 512 << 20;

/// Where debug files are.
const DEBUG_FILES: &str = "/usr/lib/debug/.build-id";

/// A file with code for this machine.
pub(super) struct Elf {
    file: File,
    segments: Vec<Segment>,
    texts: Vec<Text>,
    symbols: Symbols,
    debug: OnceCell<Option<Symbols>>,
    build_id: Vec<u8>,
    pub(super) links: Links,
    /// Whether it has no symbols but those that the dynamic linker needs.
    pub(super) stripped: bool,
    /// Whether it is a Go program.
    pub(super) go: bool,
}

/// An executable segment.
#[derive(Clone, Copy, Debug)]
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

/// Reads of a bounded size.
#[derive(Clone, Copy)]
struct Bounded<'a>(&'a ReadCache<File>);

impl<'a> ReadRef<'a> for Bounded<'a> {
    fn len(self) -> Result<u64, ()> {
        self.0.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        match size {
            0..=MAX_READ => self.0.read_bytes_at(offset, size),
            _ => Err(()),
        }
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        self.0.read_bytes_at_until(range, delimiter)
    }
}

type Header = FileHeader64<LE>;
type Sections<'a> = SectionTable<'a, Header, Bounded<'a>>;

impl Elf {
    /// Reads a file; says why it cannot be probed.
    pub(super) fn read(file: File) -> Result<Self, &'static str> {
        check_header(&file)?;
        let own = file.try_clone().map_err(|_| "cannot be read")?;
        let cache = ReadCache::new(file);
        parse(own, Bounded(&cache)).map_err(|_| "is a damaged ELF file")
    }

    /// The functions; those of the debug file are [`Self::debug_symbols`].
    pub(super) fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// What a separate debug file has, if there is one and the file itself was stripped.
    pub(super) fn debug_symbols(&self) -> Option<&Symbols> {
        let found = self.debug.get_or_init(|| {
            let path = self.debug_file().filter(|_| self.stripped)?;
            let file = crate::symbol::open_file(&path).ok()?;
            let cache = ReadCache::new(file);
            let (header, sections) = tables(Bounded(&cache)).ok()?;
            let build_id = build_id(header, Bounded(&cache), &sections);
            (build_id == self.build_id).then_some(())?;
            let symbols = symbols(&sections, Bounded(&cache), &self.segments);
            symbols.ok().filter(|symbols| !symbols.is_empty())
        });
        found.as_ref()
    }

    /// Where its debug file would be.
    pub(super) fn debug_file(&self) -> Option<PathBuf> {
        let (first, rest) = self
            .build_id
            .split_first()
            .filter(|(_, rest)| rest.len() >= 3)?;
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Path::new(DEBUG_FILES).join(format!("{first:02x}/{rest}.debug")))
    }

    /// Where in the file an address is.
    pub(super) fn offset(&self, address: u64) -> Option<u64> {
        offset(&self.segments, address)
    }

    /// The code from an address to another, or less where the section ends.
    pub(super) fn code(&self, range: Range<u64>) -> Option<Vec<u8>> {
        self.text(range.start)?.code(&self.file, range)
    }

    /// Where the section ends that has an address.
    pub(super) fn end_of_code(&self, address: u64) -> Option<u64> {
        self.text(address).map(Text::end)
    }

    /// Whether code anywhere in the same section jumps to an address, as far as is known.
    pub(super) fn is_jumped_to(&self, address: u64) -> bool {
        self.text(address)
            .is_some_and(|text| text.is_jumped_to(&self.file, &self.symbols, address))
    }

    /// Whether an address is in a stub, by which a function of another file is called.
    pub(super) fn is_stub(&self, address: u64) -> bool {
        self.text(address).is_some_and(Text::is_stubs)
    }

    fn text(&self, address: u64) -> Option<&Text> {
        self.texts.iter().find(|text| text.holds(address))
    }
}

/// The first of these functions that a file imports from another.
pub(super) fn imports(file: File, names: &[&'static str]) -> Option<&'static str> {
    check_header(&file).ok()?;
    let cache = ReadCache::new(file);
    let data = Bounded(&cache);
    let (_, sections) = tables(data).ok()?;
    let dynamic = |section: &&SectionHeader64<LE>| section.sh_type(LE) == elf::SHT_DYNSYM;
    let section = sections.iter().find(dynamic)?;
    let rows: &[elf::Sym64<LE>] = section.data_as_array(LE, data).ok()?;
    let strings = sections.section(section.link(LE)).ok()?;
    let strings = strings.data(LE, data).ok()?;
    rows.iter().find_map(|row| {
        // What is bound weakly is asked for, and may well not be called.
        let imported = row.st_shndx.get(LE) == elf::SHN_UNDEF;
        if !imported || row.st_info >> 4 != elf::STB_GLOBAL {
            return None;
        }
        let name = strings.get(row.st_name.get(LE) as usize..)?;
        let name = name.split(|byte| *byte == 0).next()?;
        names
            .iter()
            .copied()
            .find(|wanted| wanted.as_bytes() == name)
    })
}

/// What can be said before anything is parsed.
fn check_header(file: &File) -> Result<(), &'static str> {
    let mut head = [0; 20];
    if file.read_exact_at(&mut head, 0).is_err() || !head.starts_with(b"\x7fELF") {
        return Err("is not an ELF file");
    }
    let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    match (head[4], head[5], half(16), half(18)) {
        (1, ..) => Err("is a 32-bit file; tracer probes 64-bit programs only"),
        (2, 1, elf::ET_EXEC | elf::ET_DYN, elf::EM_X86_64) => Ok(()),
        (2, 1, _, elf::EM_X86_64) => Err("is neither a program nor a library"),
        _ => Err("is for another kind of processor; tracer probes x86-64 only"),
    }
}

fn tables(data: Bounded<'_>) -> object::Result<(&Header, Sections<'_>)> {
    let header = Header::parse(data)?;
    Ok((header, header.sections(LE, data)?))
}

fn parse(file: File, data: Bounded<'_>) -> object::Result<Elf> {
    let (header, sections) = tables(data)?;
    let programs = header.program_headers(LE, data)?;
    let segments: Vec<Segment> = programs.iter().filter_map(segment).collect();
    let texts = sections.iter().filter_map(|section| {
        let (address, size) = executable(section)?;
        let offset = offset(&segments, address)?;
        let stubs = sections
            .section_name(LE, section)
            .is_ok_and(|name| name.starts_with(b".plt"));
        Some(Text::new(address, offset, size, stubs))
    });
    let names = |name: &[u8]| sections.section_by_name(LE, name).is_some();
    Ok(Elf {
        texts: texts.collect(),
        symbols: symbols(&sections, data, &segments)?,
        debug: OnceCell::new(),
        build_id: build_id(header, data, &sections),
        links: Links::read(data, programs),
        stripped: !sections
            .iter()
            .any(|section| section.sh_type(LE) == elf::SHT_SYMTAB),
        go: names(b".gopclntab") || names(b".go.buildinfo"),
        segments,
        file,
    })
}

fn segment(program: &ProgramHeader64<LE>) -> Option<Segment> {
    let executable = program.p_type(LE) == elf::PT_LOAD && program.p_flags(LE) & elf::PF_X != 0;
    executable.then(|| Segment {
        address: program.p_vaddr(LE),
        offset: program.p_offset(LE),
        size: program.p_filesz(LE),
    })
}

fn executable(section: &SectionHeader64<LE>) -> Option<(u64, u64)> {
    let flags = section.sh_flags(LE);
    let code = section.sh_type(LE) == elf::SHT_PROGBITS
        && flags & u64::from(elf::SHF_EXECINSTR) != 0
        && flags & u64::from(elf::SHF_ALLOC) != 0;
    code.then(|| (section.sh_addr(LE), section.sh_size(LE)))
}

/// The segment that has the bytes, else one that begins in the same page.
fn offset(segments: &[Segment], address: u64) -> Option<u64> {
    let page = rustix::param::page_size() as u64;
    let holds = |segment: &&Segment, start: u64| {
        start <= address && address < segment.address.saturating_add(segment.size)
    };
    let segment = segments
        .iter()
        .find(|segment| holds(segment, segment.address))
        .or_else(|| {
            segments
                .iter()
                .find(|segment| holds(segment, segment.address / page * page))
        })?;
    Some(
        segment
            .offset
            .wrapping_add(address.wrapping_sub(segment.address)),
    )
}

fn symbols(
    sections: &Sections<'_>,
    data: Bounded<'_>,
    segments: &[Segment],
) -> object::Result<Symbols> {
    let mut found = Symbols::default();
    for section in sections.iter() {
        if !matches!(section.sh_type(LE), elf::SHT_SYMTAB | elf::SHT_DYNSYM) {
            continue;
        }
        let rows: &[elf::Sym64<LE>] = section.data_as_array(LE, data)?;
        let strings = sections.section(section.link(LE))?.data(LE, data)?;
        for row in rows {
            let kind = match row.st_info & 0xf {
                elf::STT_FUNC => Kind::Function,
                elf::STT_GNU_IFUNC => Kind::Ifunc,
                elf::STT_NOTYPE => Kind::Label,
                _ => continue,
            };
            let address = row.st_value.get(LE);
            let section = row.st_shndx.get(LE);
            let defined = section != elf::SHN_UNDEF && section != elf::SHN_ABS;
            if !defined || offset(segments, address).is_none() {
                continue;
            }
            let name = row.st_name.get(LE) as usize;
            let name = strings.get(name..).unwrap_or_default();
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            found.push(
                name,
                Symbol {
                    address,
                    size: row.st_size.get(LE),
                    kind,
                    global: row.st_info >> 4 != elf::STB_LOCAL,
                },
            );
        }
    }
    Ok(found.sorted())
}

fn build_id(header: &Header, data: Bounded<'_>, sections: &Sections<'_>) -> Vec<u8> {
    const LONGEST: usize = 64;
    let in_notes = || {
        for section in sections.iter() {
            let Some(mut notes) = section.notes(LE, data).ok().flatten() else {
                continue;
            };
            while let Ok(Some(note)) = notes.next() {
                if note.n_type(LE) == elf::NT_GNU_BUILD_ID && note.name() == elf::ELF_NOTE_GNU {
                    return Some(note.desc());
                }
            }
        }
        None
    };
    let id = match header.is_class_64() {
        true => in_notes().unwrap_or_default(),
        false => &[],
    };
    id[..id.len().min(LONGEST)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_where_the_kernel_maps_it() {
        // As LLD lays a program out: the second segment begins within a page.
        let segments = [
            Segment {
                address: 0x20_15f0,
                offset: 0x5f0,
                size: 0x1a0,
            },
            Segment {
                address: 0x30_2000,
                offset: 0x2000,
                size: 0x100,
            },
        ];
        assert_eq!(offset(&segments, 0x20_1600), Some(0x600));
        assert_eq!(offset(&segments, 0x20_15e0), Some(0x5e0));
        assert_eq!(offset(&segments, 0x30_2010), Some(0x2010));
        assert_eq!(offset(&segments, 0x40_0000), None);
        let hostile = [Segment {
            address: u64::MAX - 5,
            offset: u64::MAX,
            size: u64::MAX,
        }];
        assert_eq!(offset(&hostile, 0), None);
        assert!(offset(&hostile, u64::MAX - 1).is_some());
    }
}
