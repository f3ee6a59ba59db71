//! Files that lie: nothing panics, and what is kept is bounded.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use object::{Object as _, ObjectSection as _};

use super::elf::{Image, Segments};
use super::entries::Source;
use super::made::{CODE, FRAME, Made, check};
use super::reader::Bases;
use super::*;

const REAL: &str = "/usr/lib/x86_64-linux-gnu/libc.so.6";

/// A real `.eh_frame` and the code that it is about.
struct Real {
    bytes: Vec<u8>,
    address: u64,
    segments: Segments,
}

impl Real {
    /// `None`: this system has another C library.
    fn read() -> Option<Self> {
        let file = fs::read(REAL).ok()?;
        let section = object::File::parse(&*file).ok()?;
        let section = section.section_by_name(".eh_frame")?;
        Some(Self {
            bytes: section.data().ok()?.to_vec(),
            address: section.address(),
            segments: Image::read(&*file).ok()?.segments,
        })
    }

    /// The table of other bytes in its place.
    fn table(&self, bytes: &[u8], debug: bool) -> Option<Table> {
        let source = Source {
            bytes: bytes.into(),
            bases: Bases {
                section: self.address,
                data: self.address,
            },
            debug,
            count: None,
        };
        let mut rows = rows::Rows::default();
        entries::read(&source, &self.segments, &mut rows).ok()?;
        let table = (!rows.blocks.is_empty()).then(|| pack::table(rows, None))?;
        check(&table);
        Some(table)
    }
}

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[test]
fn a_section_may_end_anywhere() {
    let Some(real) = Real::read() else {
        return;
    };
    let whole = real.table(&real.bytes, false).unwrap();
    let mut rows = 0;
    let lengths = (0..3000).chain((3000..real.bytes.len()).step_by(997));
    for length in lengths {
        let table = real.table(&real.bytes[..length], false);
        rows = table.map_or(rows, |table| table.rows.len());
    }
    assert!(rows <= whole.rows.len() && rows > whole.rows.len() / 2);
}

#[test]
fn a_file_may_end_anywhere() {
    let mut made = Made::new();
    made.entry = CODE;
    made.fde(0x10, 0x20, &[0x42, 0x0e, 16, 0x86, 2]);
    made.fde(0x40, 0x20, &[0x0f, 2, 0x77, 8]);
    let file = made.file();
    for length in 0..file.len() {
        if let Ok(table) = Table::of_image(&file[..length]) {
            check(&table);
        }
    }
    assert!(Table::of_image(&file).is_ok());
}

#[test]
fn any_byte_of_a_section_may_be_another() {
    let Some(real) = Real::read() else {
        return;
    };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut bytes = real.bytes[..real.bytes.len().min(1 << 15)].to_vec();
    for round in 0..600 {
        let kept: Vec<(usize, u8)> = (0..1 + random.below(30))
            .map(|_| {
                let at = random.below(bytes.len());
                let kept = (at, bytes[at]);
                bytes[at] = random.next() as u8;
                kept
            })
            .collect();
        real.table(&bytes, round % 8 == 0);
        for (at, byte) in kept.into_iter().rev() {
            bytes[at] = byte;
        }
    }
    assert_eq!(bytes, real.bytes[..bytes.len()]);
}

#[test]
fn any_byte_of_a_file_may_be_another() {
    let mut made = Made::new();
    made.fde(0x10, 0x20, &[0x42, 0x0e, 16, 0x86, 2]);
    made.fde(0x40, 0x20, &[0x0a, 0x0e, 16, 0x44, 0x0b]);
    let file = made.file();
    let heads = (0..64 + 3 * 56).chain(FRAME as usize..file.len());
    for at in heads {
        for byte in [0, 1, 0x7f, 0x80, 0xff, !file[at]] {
            let mut file = file.clone();
            file[at] = byte;
            if let Ok(table) = Table::of_image(&file) {
                check(&table);
            }
        }
    }
}

#[test]
fn noise_is_not_a_file() {
    let mut random = Random(7);
    for length in 0..2000 {
        let mut noise: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        assert!(Table::of_image(&noise).is_err());
        let head = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0";
        if let Some(start) = noise.get_mut(..20) {
            start.copy_from_slice(head);
        }
        assert!(Table::of_image(&noise).is_err());
    }
}

#[test]
fn no_table_says_why() {
    let reason = |bytes: &[u8]| Table::of_image(bytes).unwrap_err();
    let whole = Made::new().file();
    assert_eq!(reason(b""), NoTable::NotElf);
    assert_eq!(reason(b"#!/bin/sh"), NoTable::NotElf);
    assert_eq!(reason(&[0x7f; 100]), NoTable::NotElf);
    assert_eq!(reason(&whole), NoTable::NoInformation);
    let other = |at: usize, byte| {
        let mut file = whole.clone();
        file[at] = byte;
        reason(&file)
    };
    assert_eq!(other(4, 1), NoTable::Architecture);
    assert_eq!(other(5, 2), NoTable::Architecture);
    assert_eq!(other(18, 0xb7), NoTable::Architecture);
    let directory = File::open("/").unwrap();
    assert!(Table::of_file(&directory).is_err());
}

/// As much code as a table takes, and more rows than that.
#[test]
fn a_sparse_file_of_terabytes_makes_a_small_table() {
    let mut made = Made::new();
    made.code_size = 1 << 42;
    let size = u32::MAX.into();
    made.fde(0, size, &[0x04, 0xff, 0xff, 0xff, 0x7f, 0x0e, 16]);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&made.file()).unwrap();
    file.set_len(1 << 43).unwrap();
    let table = Table::of_file(&file).unwrap();
    check(&table);
    assert!(table.pages.len() <= 1 << 19, "{} pages", table.pages.len());

    let program = [0x41, 0x0e, 16, 0x41, 0x0e, 8].repeat(1 << 22);
    made.fde(0, 1 << 30, &program);
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&made.file()).unwrap();
    assert_eq!(Table::of_file(&file), Err(NoTable::TooLarge));
}
