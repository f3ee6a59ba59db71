//! What an ELF file says about itself: where its code is loaded, which debug file belongs to it,
//! how much DWARF it holds. Reads headers and notes only; nothing is mapped.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use object::read::ReadCache;
use object::{BinaryFormat, CompressionFormat, Object, ObjectSection as _};

use super::debug_info::DwarfSize;
use super::protocol::Wanted;
use super::segments::Segments;

/// Longer build IDs do not occur: SHA-1 has 20 bytes.
const MAX_BUILD_ID: usize = 64;

/// The largest debug file whose checksum is worth computing.
const MAX_CHECKED: u64 = 1 << 30;

/// What an ELF file says about itself.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) segments: Segments,
    pub(super) dwarf: DwarfSize,
    build_id: Vec<u8>,
    link: Option<(Vec<u8>, u32)>,
}

impl Identity {
    /// `None`: not an ELF file, or a damaged one.
    pub(super) fn read(file: &File) -> Option<Self> {
        let cache = ReadCache::new(file);
        let elf = object::File::parse(&cache).ok()?;
        if elf.format() != BinaryFormat::Elf {
            return None;
        }
        let mut dwarf = DwarfSize::default();
        for section in elf.sections() {
            let Ok(name) = section.name_bytes() else {
                continue;
            };
            if !name.starts_with(b".debug_") {
                continue;
            }
            let Ok(range) = section.compressed_file_range() else {
                continue;
            };
            if range.format == CompressionFormat::None {
                dwarf.plain = dwarf.plain.saturating_add(range.uncompressed_size);
            } else {
                dwarf.compressed = dwarf.compressed.saturating_add(range.uncompressed_size);
            }
            dwarf.present |= name == b".debug_info" && range.uncompressed_size > 0;
        }
        let build_id = elf.build_id().ok().flatten().unwrap_or_default();
        let link = elf.gnu_debuglink().ok().flatten();
        Some(Self {
            segments: Segments::of(&elf),
            dwarf,
            build_id: build_id[..build_id.len().min(MAX_BUILD_ID)].to_vec(),
            link: link.map(|(name, checksum)| (name.to_vec(), checksum)),
        })
    }

    /// The build ID; empty: it has none.
    pub(super) fn build_id(self) -> Vec<u8> {
        self.build_id
    }

    /// Which debug file is wanted; `None`: none, or nothing to recognize it by.
    pub(super) fn wants(&self) -> Option<Wanted> {
        if self.dwarf.present || (self.build_id.is_empty() && self.link.is_none()) {
            return None;
        }
        let link = self
            .link
            .as_ref()
            .map_or_else(Vec::new, |(name, _)| name.clone());
        Some(Wanted {
            build_id: self.build_id.clone(),
            link,
        })
    }

    /// Whether a file with that identity is the debug file of this one. A debug file of another
    /// build gives wrong names, which are worse than none.
    pub(super) fn matches(&self, debug: &Self, file: &File) -> bool {
        if !self.build_id.is_empty() && !debug.build_id.is_empty() {
            return self.build_id == debug.build_id;
        }
        self.link
            .as_ref()
            .is_some_and(|(_, expected)| checksum(file) == Some(*expected))
    }
}

fn checksum(file: &File) -> Option<u32> {
    let mut checksum = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    if file.metadata().ok()?.len() > MAX_CHECKED {
        return None;
    }
    let mut offset = 0;
    loop {
        match file.read_at(&mut buffer, offset).ok()? {
            0 => break,
            length => {
                checksum.update(&buffer[..length]);
                offset += length as u64;
            }
        }
    }
    Some(checksum.finalize())
}
