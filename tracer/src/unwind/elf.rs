//! An ELF file, as far as unwinding goes: where its code is in the file and where it is described.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use object::elf::{self, FileHeader64, ProgramHeader64, SectionHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _};
use object::read::{CompressedData, CompressionFormat, ReadCacheOps};
use object::{LittleEndian as LE, ReadRef};

use super::NoTable;
use super::entries::Source;
use super::reader::{Bases, Reader};

type Header = FileHeader64<LE>;

/// The most that is read of a file at once, and that a section is unpacked to.
const MAX_READ: u64 = 256 << 20;

/// The most loadable segments that are looked at.
const MAX_SEGMENTS: usize = 64;

/// Code lies before this file offset, or is left out: rows have so many bits for it.
const MAX_OFFSET: u64 = 1 << 44;

/// The largest dynamic section that is looked at.
const MAX_DYNAMIC: u64 = 1 << 20;

/// The longest that the head of `.eh_frame_hdr` can be.
const EH_FRAME_HDR: u64 = 24;

/// A file that is read from given places, so that nobody else's place in it moves.
pub(super) struct Positioned<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> Positioned<'a> {
    pub(super) fn new(file: &'a File) -> Self {
        Self { file, at: 0 }
    }
}

impl ReadCacheOps for Positioned<'_> {
    fn len(&mut self) -> Result<u64, ()> {
        self.file.metadata().map(|facts| facts.len()).map_err(drop)
    }

    fn seek(&mut self, position: u64) -> Result<u64, ()> {
        self.at = position;
        Ok(position)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
        let read = self.file.read_at(buffer, self.at).map_err(drop)?;
        self.at += read as u64;
        Ok(read)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), ()> {
        self.file.read_exact_at(buffer, self.at).map_err(drop)?;
        self.at += buffer.len() as u64;
        Ok(())
    }
}

/// Reads of a bounded size.
#[derive(Clone, Copy)]
struct Bounded<R>(R);

impl<'data, R: ReadRef<'data>> ReadRef<'data> for Bounded<R> {
    fn len(self) -> Result<u64, ()> {
        self.0.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'data [u8], ()> {
        match size {
            0..=MAX_READ => self.0.read_bytes_at(offset, size),
            _ => Err(()),
        }
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'data [u8], ()> {
        self.0.read_bytes_at_until(range, delimiter)
    }
}

/// A loadable segment.
#[derive(Clone, Copy, Debug)]
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

impl Segment {
    fn read(program: &ProgramHeader64<LE>, length: u64) -> Self {
        let offset = program.p_offset(LE);
        let end = length.min(MAX_OFFSET);
        Self {
            address: program.p_vaddr(LE),
            offset,
            size: program.p_filesz(LE).min(end.saturating_sub(offset)),
        }
    }

    /// How far into it an address is.
    fn into(&self, address: u64) -> Option<u64> {
        let into = address.checked_sub(self.address)?;
        (into < self.size).then_some(into)
    }
}

/// The executable segments.
#[derive(Debug, Default)]
pub(super) struct Segments(Vec<Segment>);

/// Code in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
}

impl Segments {
    /// Code at an address, up to the end of its segment; `None`: none of it is in the file.
    #[inline]
    pub(super) fn code(&self, address: u64, size: u64) -> Option<Code> {
        let find = |segment: &Segment| Some((*segment, segment.into(address)?));
        let (segment, into) = self.0.iter().find_map(find)?;
        let code = Code {
            address,
            offset: segment.offset + into,
            size: size.min(segment.size - into),
        };
        (code.size > 0).then_some(code)
    }
}

/// Where code may be described, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    EhFrame,
    /// `.eh_frame`, found without section headers.
    EhFrameHdr,
    DebugFrame,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::EhFrame, Self::EhFrameHdr, Self::DebugFrame];
}

/// A file with code for this machine.
pub(super) struct Image<'data, R> {
    data: Bounded<R>,
    /// The executable ones.
    pub(super) segments: Segments,
    /// Where a program begins in the file, to the end of that segment.
    pub(super) entry: Option<Range<u64>>,
    loaded: Vec<Segment>,
    eh_frame_hdr: Option<Segment>,
    eh_frame: Option<&'data SectionHeader64<LE>>,
    debug_frame: Option<&'data SectionHeader64<LE>>,
}

impl<'data, R: ReadRef<'data>> Image<'data, R> {
    pub(super) fn read(data: R) -> Result<Self, NoTable> {
        let data = Bounded(data);
        let length = data.len().map_err(|()| NoTable::Unreadable)?;
        if length < size_of::<Header>() as u64 {
            return Err(NoTable::NotElf);
        }
        let identity = data
            .read_bytes_at(0, 20)
            .map_err(|()| NoTable::Unreadable)?;
        if !identity.starts_with(&elf::ELFMAG) {
            return Err(NoTable::NotElf);
        }
        let machine = u16::from_le_bytes([identity[18], identity[19]]);
        let this = (elf::ELFCLASS64, elf::ELFDATA2LSB, elf::EM_X86_64);
        if (identity[4], identity[5], machine) != this {
            return Err(NoTable::Architecture);
        }
        let header = Header::parse(data).map_err(|_| NoTable::NotElf)?;
        let programs = header.program_headers(LE, data);
        let programs = programs.map_err(|_| NoTable::NotElf)?;
        let of_type = |kind| programs.iter().filter(move |head| head.p_type(LE) == kind);
        let loaded = || of_type(elf::PT_LOAD).take(MAX_SEGMENTS);
        let read = |head: &ProgramHeader64<LE>| Segment::read(head, length);
        let executable = loaded().filter(|head| head.p_flags(LE) & elf::PF_X != 0);
        let segments = Segments(executable.map(read).collect());
        let entry = segments.code(header.e_entry(LE), u64::MAX);
        let entry = entry.filter(|_| is_program(header, programs, data));
        let mut image = Self {
            data,
            entry: entry.map(|code| code.offset..code.offset + code.size),
            segments,
            loaded: loaded().map(read).collect(),
            eh_frame_hdr: of_type(elf::PT_GNU_EH_FRAME).map(read).next(),
            eh_frame: None,
            debug_frame: None,
        };
        image.find_sections(header);
        Ok(image)
    }

    /// Without section headers there is nothing to be found.
    fn find_sections(&mut self, header: &Header) -> Option<()> {
        let data = self.data;
        let sections = header.section_headers(LE, data).ok()?;
        let names = header.shstrndx(LE, data).ok()?;
        let names = sections.get(names as usize)?.data(LE, data).ok()?;
        let mut go = false;
        for section in sections {
            let name = names
                .get(section.sh_name(LE) as usize..)
                .unwrap_or_default();
            let is = |wanted: &[u8]| name.starts_with(wanted);
            if section.sh_type(LE) == elf::SHT_NOBITS {
                continue;
            } else if is(b".eh_frame\0") {
                self.eh_frame = Some(section);
            } else if is(b".debug_frame\0") {
                self.debug_frame = Some(section);
            }
            go |= is(b".gopclntab\0") || is(b".go.buildinfo\0");
        }
        if go {
            // It says nothing of the frame pointer, which Go's functions keep.
            self.debug_frame = None;
        }
        Some(())
    }

    /// What describes code; `None`: there is none of this kind.
    pub(super) fn source(&self, kind: Kind) -> Result<Option<Source<'data>>, NoTable> {
        let bases = |section| Bases {
            section,
            data: self.eh_frame_hdr.map_or(0, |header| header.address),
        };
        Ok(Some(match kind {
            Kind::EhFrame => {
                let Some(section) = self.eh_frame else {
                    return Ok(None);
                };
                Source {
                    bytes: self.section(section)?,
                    bases: bases(section.sh_addr(LE)),
                    debug: false,
                    count: None,
                }
            }
            Kind::EhFrameHdr => {
                let Some((address, count)) = self.pointed_at() else {
                    return Ok(None);
                };
                let find = |segment: &Segment| Some((*segment, segment.into(address)?));
                let Some((segment, into)) = self.loaded.iter().find_map(find) else {
                    return Ok(None);
                };
                let size = (segment.size - into).min(MAX_READ);
                let bytes = self.data.read_bytes_at(segment.offset + into, size);
                Source {
                    bytes: Cow::Borrowed(bytes.map_err(|()| NoTable::Unreadable)?),
                    bases: bases(address),
                    debug: false,
                    count,
                }
            }
            Kind::DebugFrame => {
                let Some(section) = self.debug_frame else {
                    return Ok(None);
                };
                Source {
                    bytes: self.section(section)?,
                    bases: bases(section.sh_addr(LE)),
                    debug: true,
                    count: None,
                }
            }
        }))
    }

    /// Zstandard is refused: its decoder does not stop at the size that the section is said to have.
    fn section(&self, section: &SectionHeader64<LE>) -> Result<Cow<'data, [u8]>, NoTable> {
        if section.sh_size(LE) > MAX_READ {
            return Err(NoTable::TooLarge);
        }
        let compressed = section.compression(LE, self.data);
        let Some((header, offset, size)) = compressed.map_err(|_| NoTable::Unreadable)? else {
            let plain = section.data(LE, self.data);
            return plain.map(Cow::Borrowed).map_err(|_| NoTable::Unreadable);
        };
        let zlib = header.ch_type.get(LE) == elf::ELFCOMPRESS_ZLIB;
        let unpacked = header.ch_size.get(LE);
        if !zlib {
            return Err(NoTable::NoInformation);
        }
        if unpacked > MAX_READ {
            return Err(NoTable::TooLarge);
        }
        let compressed = CompressedData {
            format: CompressionFormat::Zlib,
            data: self
                .data
                .read_bytes_at(offset, size)
                .map_err(|()| NoTable::Unreadable)?,
            uncompressed_size: unpacked,
        };
        compressed.decompress().map_err(|_| NoTable::Unreadable)
    }

    /// Where `.eh_frame` is, and how many FDEs it has, if that is said.
    fn pointed_at(&self) -> Option<(u64, Option<u64>)> {
        let header = self.eh_frame_hdr?;
        let size = header.size.min(EH_FRAME_HDR);
        let bytes = self.data.read_bytes_at(header.offset, size).ok()?;
        let mut reader = Reader::new(bytes);
        let [version, pointer, count, _] = [reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?];
        if version != 1 {
            return None;
        }
        let bases = Bases {
            section: header.address,
            data: header.address,
        };
        Some((reader.pointer(pointer, bases)?, reader.length(count)))
    }
}

/// Whether the kernel may start it, or the dynamic linker that it is: linkers give a library an entry
/// too, which means nothing.
fn is_program<'data, R: ReadRef<'data>>(
    header: &Header,
    programs: &'data [ProgramHeader64<LE>],
    data: Bounded<R>,
) -> bool {
    let of_type = |kind| programs.iter().find(|head| head.p_type(LE) == kind);
    if header.e_type(LE) == elf::ET_EXEC || of_type(elf::PT_INTERP).is_some() {
        return true;
    }
    let dynamic = of_type(elf::PT_DYNAMIC).filter(|head| head.p_filesz(LE) <= MAX_DYNAMIC);
    let entries = dynamic.and_then(|head| head.dynamic(LE, data).ok()?);
    let mut entries = entries.unwrap_or_default().iter();
    !entries.any(|entry| entry.d_tag.get(LE) == elf::DT_NEEDED)
}
