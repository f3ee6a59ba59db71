//! Unwind tables: what a file says about how its functions are left, as rows that the kernel searches.
//!
//! Owns the way from `.eh_frame` to the rows of [`tracer_common::unwind`]. Knows neither processes nor
//! maps nor where tables lie. A file may be anybody's: nothing is mapped, what is read and what is kept
//! is bounded, and what cannot be understood becomes a row that says so, never a wrong one.

#![forbid(unsafe_code)]

mod cfi;
mod elf;
mod entries;
mod expression;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod made;
mod pack;
mod reader;
mod rows;
#[cfg(test)]
mod tests;

use std::fs::File;

use object::{ReadCache, ReadRef};
use thiserror::Error;
use tracer_common::unwind::{CODE_NONE, Rule, TABLE_PAGE};

/// The rows of a file's code, by file offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// File offset of the first page, in pages.
    pub first_page: u32,
    /// Index of the page's first row in `rows`, and the number of its rows << 32. There is at least one,
    /// and the first is at offset 0.
    pub pages: Vec<u64>,
    /// Rows, as [`tracer_common::unwind::row`] makes them. Codes from `FIRST_RULE` on number `rules`.
    pub rows: Vec<u32>,
    /// What no inline code expresses.
    pub rules: Vec<Rule>,
}

/// Why a file has no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoTable {
    /// It is not an ELF file, or a damaged one.
    #[error("not an ELF file")]
    NotElf,
    /// It cannot be read.
    #[error("unreadable")]
    Unreadable,
    /// It is for another kind of processor.
    #[error("for another kind of processor")]
    Architecture,
    /// It says nothing about its functions.
    #[error("no unwind information")]
    NoInformation,
    /// It says more than a table can hold.
    #[error("too much unwind information")]
    TooLarge,
}

impl Table {
    /// Of an ELF file.
    pub fn of_file(file: &File) -> Result<Self, NoTable> {
        let cache = ReadCache::new(elf::Positioned::new(file));
        Self::of(&cache)
    }

    /// Of an ELF file's bytes in memory, such as the vDSO's.
    pub fn of_image(image: &[u8]) -> Result<Self, NoTable> {
        Self::of(image)
    }

    fn of<'data>(data: impl ReadRef<'data>) -> Result<Self, NoTable> {
        let image = elf::Image::read(data)?;
        let mut rows = rows::Rows::default();
        for kind in elf::Kind::ALL {
            // The same section again. What is for debuggers may be of other functions.
            if kind == elf::Kind::EhFrameHdr && !rows.blocks.is_empty() {
                continue;
            }
            let Some(source) = image.source(kind)? else {
                continue;
            };
            entries::read(&source, &image.segments, &mut rows)?;
        }
        if rows.blocks.is_empty() {
            return Err(NoTable::NoInformation);
        }
        Ok(pack::table(rows, image.entry))
    }

    /// The code of the row that holds at a file offset, found as the kernel finds it.
    pub fn code(&self, file_offset: u64) -> u32 {
        let page = file_offset / TABLE_PAGE;
        let descriptor = page
            .checked_sub(self.first_page.into())
            .and_then(|page| self.pages.get(usize::try_from(page).ok()?));
        let Some(descriptor) = descriptor else {
            return CODE_NONE;
        };
        let (first, count) = (*descriptor as u32 as usize, (descriptor >> 32) as usize);
        let rows = &self.rows[first..first + count];
        let offset = (file_offset % TABLE_PAGE) as u32;
        let behind = rows.partition_point(|row| row & 0xfff <= offset);
        rows[behind - 1] >> 12
    }
}
