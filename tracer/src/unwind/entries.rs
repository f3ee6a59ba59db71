//! The entries of `.eh_frame` and `.debug_frame`: which code is described (FDE), and on what terms (CIE).

use std::borrow::Cow;

use rustc_hash::FxHashMap;
use tracer_common::unwind::{CODE_SIGNAL, CODE_UNSUPPORTED};

use super::NoTable;
use super::cfi::{RA, Run, State, Terms};
use super::elf::Segments;
use super::reader::{Bases, PE_ABSOLUTE, PE_OMIT, Reader};
use super::rows::Rows;

/// The most CIEs that are kept: there are a few, and in `.debug_frame` one for each compilation unit.
const MAX_CIES: usize = 1 << 16;

/// A section of entries.
pub(super) struct Source<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) bases: Bases,
    /// `.debug_frame` rather than `.eh_frame`.
    pub(super) debug: bool,
    /// How many FDEs there are, if that is known.
    pub(super) count: Option<u64>,
}

/// What the FDEs of a CIE have in common.
struct Cie {
    terms: Terms,
    /// FDEs have augmentation data.
    augmented: bool,
    signal: bool,
    /// `None`: it cannot be understood.
    initial: Option<State>,
}

/// A CIE that the walk came by, by where it is. `None`: its FDEs cannot be read.
type Cies = FxHashMap<usize, Option<Cie>>;

/// Adds what a section says of code in the segments. What is damaged is left out, and nothing is read
/// behind the first entry whose end is not known.
pub(super) fn read(
    source: &Source<'_>,
    segments: &Segments,
    rows: &mut Rows,
) -> Result<(), NoTable> {
    let mut section = Reader::new(&source.bytes);
    let mut cies = Cies::default();
    let mut remembered = Vec::new();
    let mut left = source.count.unwrap_or(u64::MAX);
    // A row takes some six bytes, with its part of the entry's head.
    rows.reserve(source.bytes.len() / 6);
    while left > 0
        && let Some((start, wide, mut entry)) = next(&mut section, source.debug)
    {
        let Some(reference) = reference(&mut entry, source.debug, wide) else {
            continue;
        };
        let Reference::Fde(cie_at) = reference else {
            if cies.len() < MAX_CIES {
                cies.insert(start, cie(entry, source, &mut remembered));
            }
            continue;
        };
        left -= 1;
        let cie = usize::try_from(cie_at).ok().and_then(|at| cies.get(&at));
        if let Some(Some(cie)) = cie {
            fde(entry, cie, segments, rows, &mut remembered)?;
        }
    }
    Ok(())
}

/// The next entry: where it is, whether in the 64-bit format, and what follows its length.
#[inline]
fn next<'a>(section: &mut Reader<'a>, debug: bool) -> Option<(usize, bool, Reader<'a>)> {
    loop {
        let start = section.position();
        let (length, wide) = match section.u32()? {
            // The end; in `.debug_frame`, an assembler's mistake.
            0 if debug => continue,
            0 | 0xffff_fff0..=0xffff_fffe => return None,
            u32::MAX => (section.u64()?, true),
            length => (length.into(), false),
        };
        return Some((start, wide, section.split(length)?));
    }
}

/// What an entry is.
enum Reference {
    Cie,
    /// An FDE, of the CIE there.
    Fde(u64),
}

#[inline]
fn reference(entry: &mut Reader<'_>, debug: bool, wide: bool) -> Option<Reference> {
    let at = entry.position() as u64;
    let (value, cie) = match (debug, wide) {
        (false, _) => (entry.u32()?.into(), 0),
        (true, false) => (entry.u32()?.into(), u32::MAX.into()),
        (true, true) => (entry.u64()?, u64::MAX),
    };
    Some(if value == cie {
        Reference::Cie
    } else if debug {
        Reference::Fde(value)
    } else {
        Reference::Fde(at.wrapping_sub(value))
    })
}

fn cie(mut entry: Reader<'_>, source: &Source<'_>, remembered: &mut Vec<State>) -> Option<Cie> {
    let version = entry.u8()?;
    if !matches!(version, 1 | 3 | 4) {
        return None;
    }
    let augmentation = entry.text()?;
    if version == 4 && (entry.u8()?, entry.u8()?) != (8, 0) {
        return None;
    }
    let code_align = entry.uleb()?;
    let data_align = entry.sleb()?;
    let return_address = match version {
        1 => entry.u8()?.into(),
        _ => entry.uleb()?,
    };
    let mut terms = Terms {
        code_align,
        data_align,
        encoding: PE_ABSOLUTE,
        bases: source.bases,
    };
    let mut signal = false;
    let mut data = match augmentation {
        [b'z', ..] => {
            let length = entry.uleb()?;
            Some(entry.split(length)?)
        }
        _ => None,
    };
    for letter in augmentation {
        match (letter, &mut data) {
            (b'S', _) => signal = true,
            (b'z', Some(_)) => {}
            (b'R', Some(data)) => terms.encoding = data.u8()?,
            (b'L', Some(data)) => {
                data.u8()?;
            }
            (b'P', Some(data)) => {
                let encoding = data.u8()?;
                if encoding != PE_OMIT {
                    data.length(encoding)?;
                }
            }
            _ => return None,
        }
    }
    remembered.clear();
    let mut run = Run {
        program: entry,
        terms,
        initial: None,
        state: State::START,
        address: 0,
        remembered,
    };
    let understood = return_address == RA && finishes(&mut run);
    Some(Cie {
        terms,
        augmented: data.is_some(),
        signal,
        initial: understood.then_some(run.state),
    })
}

/// Whether it can be run to the end.
fn finishes(run: &mut Run<'_, '_>) -> bool {
    loop {
        match run.row() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

#[inline]
fn fde(
    mut entry: Reader<'_>,
    cie: &Cie,
    segments: &Segments,
    rows: &mut Rows,
    remembered: &mut Vec<State>,
) -> Result<(), NoTable> {
    let terms = cie.terms;
    let Some((code, entry)) = (|| {
        let address = entry.pointer(terms.encoding, terms.bases)?;
        let size = entry.length(terms.encoding)?;
        if cie.augmented {
            let length = entry.uleb()?;
            entry.bytes(length)?;
        }
        Some((segments.code(address, size)?, entry))
    })() else {
        return Ok(());
    };
    rows.begin(code.offset, code.offset + code.size);
    if cie.signal {
        return rows.push(code.offset, CODE_SIGNAL);
    }
    let Some(initial) = &cie.initial else {
        return rows.push(code.offset, CODE_UNSUPPORTED);
    };
    remembered.clear();
    let mut run = Run {
        program: entry,
        terms,
        initial: Some(initial),
        state: *initial,
        address: code.address,
        remembered,
    };
    loop {
        let next = run.row();
        let row = match &next {
            Ok(_) => rows.rules.code(&run.state),
            Err(_) => CODE_UNSUPPORTED,
        };
        let into = run.address - code.address;
        rows.push(code.offset + into, row)?;
        match next {
            Ok(Some(next)) if next - code.address < code.size => run.address = next,
            _ => return Ok(()),
        }
    }
}
