//! Files for tests, byte by byte.

use tracer_common::unwind::{FIRST_RULE, MAX_PAGE_ROWS};

use super::Table;

/// Where the code of the file is that [`Made`] makes, in memory.
pub(super) const CODE: u64 = 0x40_1000;
/// And in the file.
const CODE_OFFSET: u64 = 0x1000;
const CODE_SIZE: u64 = 0x3000;
/// Where the file's `.eh_frame` is.
pub(super) const FRAME: u64 = 0x4000;
const FRAME_ADDRESS: u64 = 0x30_4000;

/// A file with nothing but code and `.eh_frame`, in segments and without sections.
pub(super) struct Made {
    pub(super) frame: Vec<u8>,
    pub(super) entry: u64,
    pub(super) code_size: u64,
}

impl Made {
    /// With a CIE as compilers make it.
    pub(super) fn new() -> Self {
        let mut made = Self {
            frame: Vec::new(),
            entry: 0,
            code_size: CODE_SIZE,
        };
        // CFA = rsp + 8, return address at CFA − 8
        made.cie(b"zR", &[0x1b], &[0x0c, 7, 8, 0x90, 1]);
        made
    }

    pub(super) fn cie(&mut self, augmentation: &[u8], data: &[u8], program: &[u8]) {
        let mut entry = vec![0, 0, 0, 0, 1];
        entry.extend_from_slice(augmentation);
        entry.extend_from_slice(&[0, 1, 0x78, 16, data.len() as u8]);
        entry.extend_from_slice(data);
        entry.extend_from_slice(program);
        self.entry(&entry);
    }

    fn entry(&mut self, entry: &[u8]) {
        self.frame
            .extend_from_slice(&(entry.len() as u32).to_le_bytes());
        self.frame.extend_from_slice(entry);
    }

    /// An FDE of the CIE that is this far from the section's start.
    pub(super) fn fde_of(
        &mut self,
        cie: usize,
        start: u64,
        size: u64,
        program: &[u8],
    ) -> &mut Self {
        let at = self.frame.len() + 4;
        let mut entry = ((at - cie) as u32).to_le_bytes().to_vec();
        let from = FRAME_ADDRESS + at as u64 + 4;
        entry.extend_from_slice(&((CODE + start).wrapping_sub(from) as u32).to_le_bytes());
        entry.extend_from_slice(&(size as u32).to_le_bytes());
        entry.push(0);
        entry.extend_from_slice(program);
        self.entry(&entry);
        self
    }

    pub(super) fn fde(&mut self, start: u64, size: u64, program: &[u8]) -> &mut Self {
        self.fde_of(0, start, size, program)
    }

    pub(super) fn file(&self) -> Vec<u8> {
        let count = self.frame.len() as u64;
        let hdr = FRAME + count;
        let mut file = vec![0; FRAME as usize];
        file[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0");
        file[24..32].copy_from_slice(&self.entry.to_le_bytes());
        file[32] = 64;
        file[54] = 56;
        file[56] = 3;
        let heads = [
            (1, 5, CODE_OFFSET, CODE, self.code_size),
            (1, 4, FRAME, FRAME_ADDRESS, count + 12),
            (0x6474_e550, 4, hdr, FRAME_ADDRESS + count, 12),
        ];
        for (index, (kind, flags, offset, address, size)) in heads.into_iter().enumerate() {
            let head = &mut file[64 + 56 * index..][..56];
            head[..4].copy_from_slice(&u32::to_le_bytes(kind));
            head[4] = flags;
            head[8..16].copy_from_slice(&u64::to_le_bytes(offset));
            head[16..24].copy_from_slice(&u64::to_le_bytes(address));
            head[32..40].copy_from_slice(&u64::to_le_bytes(size));
        }
        file.extend_from_slice(&self.frame);
        // Pointer relative to the header, and the count left out.
        file.extend_from_slice(&[1, 0x3b, 0xff, 0xff]);
        file.extend_from_slice(&(count as u32).wrapping_neg().to_le_bytes());
        file.extend_from_slice(&[0; 4]);
        file
    }

    pub(super) fn table(&self) -> Table {
        let table = Table::of_image(&self.file()).unwrap();
        check(&table);
        table
    }

    /// Codes at offsets into the code.
    pub(super) fn check(&self, expected: &[(u64, u32)]) {
        let table = self.table();
        for (offset, code) in expected {
            let found = table.code(CODE_OFFSET + offset);
            assert_eq!(
                found, *code,
                "at {offset:#x}: {found:#x}, expected {code:#x}"
            );
        }
    }
}

/// What holds of every table.
pub(super) fn check(table: &Table) {
    let mut next = 0;
    for page in &table.pages {
        let (first, count) = (*page as u32, (page >> 32) as u32);
        assert_eq!(first, next, "pages follow each other");
        assert!((1..=MAX_PAGE_ROWS).contains(&count));
        let rows = &table.rows[first as usize..][..count as usize];
        assert_eq!(rows[0] & 0xfff, 0, "a page begins with a row");
        assert!(rows.is_sorted_by(|row, next| row & 0xfff < next & 0xfff));
        for row in rows.iter().filter(|row| *row >> 12 >= FIRST_RULE) {
            assert!(((row >> 12) - FIRST_RULE) < table.rules.len() as u32);
        }
        next += count;
    }
    assert_eq!(next as usize, table.rows.len());
}
