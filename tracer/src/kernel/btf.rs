//! Offsets of kernel structures' members, from the kernel's type information.
//!
//! Reads the one file once and looks at nothing but what is asked for: a general parser takes ten
//! times as long, and this runs before the first sample. The format is that of
//! `include/uapi/linux/btf.h`.

use super::{Error, Result};

const STRUCT: u32 = 4;
const UNION: u32 = 5;
const TYPEDEF: u32 = 8;

/// The kernel's type information.
pub(super) struct Btf {
    data: Vec<u8>,
    strings: usize,
    strings_end: usize,
    /// Where each type begins in `data`; type 1 is first.
    types: Vec<u32>,
}

impl Btf {
    /// That of the running kernel.
    pub(super) fn of_kernel() -> Result<Self> {
        let data = std::fs::read("/sys/kernel/btf/vmlinux")
            .map_err(|error| Error::NoBtf(error.to_string()))?;
        Self::parse(data).ok_or_else(|| Error::NoBtf("malformed".to_owned()))
    }

    fn parse(data: Vec<u8>) -> Option<Self> {
        let header = u32_at(&data, 4)? as usize;
        let [types_at, types_len, strings_at, strings_len] =
            [8, 12, 16, 20].map(|at| u32_at(&data, at).map(|value| value as usize));
        let mut at = header.checked_add(types_at?)?;
        let end = at.checked_add(types_len?)?;
        let strings = header.checked_add(strings_at?)?;
        let strings_end = strings.checked_add(strings_len?)?;
        if data.len() < end.max(strings_end) {
            return None;
        }
        let mut types = Vec::with_capacity(types_len? / 24);
        while at < end {
            types.push(u32::try_from(at).ok()?);
            let info = u32_at(&data, at + 4)?;
            let members = (info & 0xffff) as usize;
            at += 12
                + match info >> 24 & 0x1f {
                    // INT, VAR, DECL_TAG
                    1 | 14 | 17 => 4,
                    // ARRAY
                    3 => 12,
                    // STRUCT, UNION, DATASEC, ENUM64
                    STRUCT | UNION | 15 | 19 => 12 * members,
                    // ENUM, FUNC_PROTO
                    6 | 13 => 8 * members,
                    // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
                    2 | 7..=12 | 16 | 18 => 0,
                    _ => return None,
                };
        }
        Some(Self {
            data,
            strings,
            strings_end,
            types,
        })
    }

    /// The byte offset of a member of a structure, through unnamed structures and unions. A structure
    /// may go by the name of its type only.
    pub(super) fn offset(&self, structure: &str, member: &str) -> Option<u32> {
        let named = |wanted| {
            let mut types = self.types.iter().map(|at| *at as usize);
            types.find(|at| self.kind(*at) == Some(wanted) && self.is_named(*at, structure))
        };
        let at = match named(STRUCT) {
            Some(at) => at,
            None => {
                let id = u32_at(&self.data, named(TYPEDEF)? + 8)? as usize;
                let at = *self.types.get(id.checked_sub(1)?)? as usize;
                (self.kind(at)? == STRUCT).then_some(at)?
            }
        };
        self.member(at, member, 0)
    }

    fn member(&self, structure: usize, name: &str, depth: u32) -> Option<u32> {
        let info = u32_at(&self.data, structure + 4)?;
        let bitfields = info >> 31 == 1;
        (0..(info & 0xffff) as usize).find_map(|index| {
            let at = structure + 12 + 12 * index;
            let offset = u32_at(&self.data, at + 8)?;
            let bits = if bitfields {
                offset & 0x00ff_ffff
            } else {
                offset
            };
            if self.is_named(at, name) {
                return Some(bits / 8);
            }
            if u32_at(&self.data, at)? != 0 || depth > 8 {
                return None;
            }
            let id = u32_at(&self.data, at + 4)? as usize;
            let inner = *self.types.get(id.checked_sub(1)?)? as usize;
            matches!(self.kind(inner)?, STRUCT | UNION).then_some(())?;
            Some(self.member(inner, name, depth + 1)? + bits / 8)
        })
    }

    fn kind(&self, at: usize) -> Option<u32> {
        Some(u32_at(&self.data, at + 4)? >> 24 & 0x1f)
    }

    /// Whether the name at `at` (a type's or a member's first word) is this one.
    fn is_named(&self, at: usize, name: &str) -> bool {
        let Some(offset) = u32_at(&self.data, at) else {
            return false;
        };
        let from = self.strings + offset as usize;
        let to = from + name.len();
        to < self.strings_end
            && self.data.get(from..to) == Some(name.as_bytes())
            && self.data.get(to) == Some(&0)
    }
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

/// The types of [`plain_value`]: a key of 4 bytes, and a value.
pub(super) const KEY: u32 = 1;
pub(super) const VALUE: u32 = 3;

/// Type information for a map whose value is plain words: some kinds of maps are not made without.
pub(super) fn plain_value(bytes: u32) -> Vec<u8> {
    const INT: u32 = 1 << 24;
    const ARRAY: u32 = 3 << 24;
    /// Of the names in `STRINGS`.
    const U32: u32 = 1;
    const U64: u32 = 5;
    const STRINGS: &[u8] = b"\0u32\0u64\0";
    let types: [u32; 14] = [
        // 1: a number of 32 bits.
        U32,
        INT,
        4,
        32,
        // 2: one of 64 bits.
        U64,
        INT,
        8,
        64,
        // 3: an array of these.
        0,
        ARRAY,
        0,
        2,
        1,
        bytes / 8,
    ];
    let types = types.map(u32::to_ne_bytes).concat();
    let lengths = [0, types.len(), types.len(), STRINGS.len()];
    let mut data = 0xeb9f_u16.to_ne_bytes().to_vec();
    // Version 1, no flags; then the length of this header.
    data.extend([1, 0]);
    data.extend(24u32.to_ne_bytes());
    for length in lengths {
        data.extend((length as u32).to_ne_bytes());
    }
    data.extend(types);
    data.extend(STRINGS);
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_members_of_the_running_kernel() {
        let Ok(btf) = Btf::of_kernel() else {
            println!("skipped: no /sys/kernel/btf/vmlinux");
            return;
        };
        // The first member of a list head, and two neighbours of one size.
        assert_eq!(btf.offset("list_head", "next"), Some(0));
        assert_eq!(btf.offset("list_head", "prev"), Some(8));
        let (pid, tgid) = (
            btf.offset("task_struct", "pid"),
            btf.offset("task_struct", "tgid"),
        );
        assert_eq!(pid.map(|at| at + 4), tgid);
        // A type's name, of a structure that has none.
        assert_eq!(btf.offset("atomic_t", "counter"), Some(0));
        assert_eq!(btf.offset("task_struct", "no_such_member"), None);
        assert_eq!(btf.offset("no_such_struct", "pid"), None);
    }

    #[test]
    fn refuses_what_is_cut_short() {
        let Ok(data) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            return;
        };
        for len in [0, 3, 20, 24, 1000] {
            assert!(Btf::parse(data[..len].to_vec()).is_none(), "{len} bytes");
        }
    }
}
