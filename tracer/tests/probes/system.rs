//! Every function of this machine's libraries, compared with what another disassembler says.

use std::{collections::HashSet, path::Path, time::Instant};

use object::{Object as _, ObjectSegment as _, SegmentFlags};
use tracer::probe::{Class, Scope, Site};

use super::fixture::{resolve, run};

/// Where instructions begin, as offsets in the file.
fn boundaries(file: &Path) -> HashSet<u64> {
    let bytes = std::fs::read(file).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let shift = elf.segments().find_map(|segment| {
        let code = matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & 1 == 1);
        code.then(|| segment.address().wrapping_sub(segment.file_range().0))
    });
    let shift = shift.unwrap();
    let listing = run(
        "objdump",
        &["-d", "--no-show-raw-insn", file.to_str().unwrap()],
    );
    let address = |line: &str| {
        let (address, rest) = line.split_once(":\t")?;
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        (!rest.contains("(bad)")).then(|| address.wrapping_sub(shift))
    };
    listing.lines().filter_map(address).collect()
}

/// At least so many of a hundred functions that begin with a single-stepped instruction get a cheap
/// place; the others have none: they are a few loads and a return.
fn check(library: &str, at_least: usize) {
    let started = Instant::now();
    let probe = format!("uprobe:{library}:*");
    let resolved = resolve(&[&probe], &Scope::Machine).unwrap_or_else(|why| panic!("{why}"));
    let took = started.elapsed();
    let sites = resolved.sites;
    let boundaries = boundaries(&sites[0].file);
    for site in &sites {
        assert!(
            boundaries.contains(&site.start),
            "{} begins inside of an instruction",
            site.name
        );
        assert!(
            boundaries.contains(&site.offset),
            "the probe of {} is inside of an instruction",
            site.name
        );
        assert!(site.offset - site.start <= 64, "{}", site.name);
        assert!(
            site.offset == site.start || site.class == Class::Emulated,
            "{} was moved for nothing",
            site.name
        );
    }
    let moved = sites.iter().filter(|site| site.offset > site.start).count();
    let stepped = |site: &&Site| site.class == Class::Stepped;
    let stepped = sites.iter().filter(stepped).count();
    let share = moved * 100 / (moved + stepped).max(1);
    println!(
        "{library}: {} functions in {took:?}, {} skipped; of {} that begin with a single-stepped instruction {share} % are moved to an emulated one",
        sites.len(),
        resolved.skipped.len(),
        moved + stepped
    );
    assert!(share >= at_least, "{library}: {share} %");
}

#[test]
fn libc() {
    check("libc", 40);
}

#[test]
fn libstdcpp() {
    check("libstdc++", 70);
}

#[test]
fn libcrypto() {
    check("libcrypto", 40);
}
