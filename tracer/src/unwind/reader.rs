//! Numbers in the bytes of a section, as DWARF writes them.

/// What encoded pointers are relative to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bases {
    /// Address of the section.
    pub(super) section: u64,
    /// Address of `.eh_frame_hdr`.
    pub(super) data: u64,
}

const PE_FORMAT: u8 = 0x0f;
const PE_PCREL: u8 = 0x10;
const PE_DATAREL: u8 = 0x30;

/// Pointer encoding: absolute, of 8 bytes.
pub(super) const PE_ABSOLUTE: u8 = 0;
/// Pointer encoding: there is none.
pub(super) const PE_OMIT: u8 = 0xff;

/// A place in a section. Every read is `None` behind its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Where in the section the rest ends.
    end: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(section: &'a [u8]) -> Self {
        Self {
            rest: section,
            end: section.len(),
        }
    }

    /// Where in the section the next byte is.
    pub(super) fn position(&self) -> usize {
        self.end - self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(super) fn bytes(&mut self, count: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(bytes)
    }

    /// The next so many bytes, on their own.
    pub(super) fn split(&mut self, count: u64) -> Option<Self> {
        let rest = self.bytes(count)?;
        let end = self.position();
        Some(Self { rest, end })
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline]
    pub(super) fn uleb(&mut self) -> Option<u64> {
        let mut byte = self.u8()?;
        let mut value = u64::from(byte & 0x7f);
        let mut shift = 0;
        while byte & 0x80 != 0 {
            shift += 7;
            byte = self.u8()?;
            if shift > 63 || shift == 63 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
        }
        Some(value)
    }

    #[inline]
    pub(super) fn sleb(&mut self) -> Option<i64> {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.u8()?;
            if shift > 63 || shift == 63 && byte != 0 && byte != 0x7f {
                return None;
            }
            value |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0 && shift < 64;
                return Some(if negative { value | -1 << shift } else { value });
            }
        }
    }

    /// The text before the next zero, which is skipped.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.rest.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(length as u64)?;
        self.u8()?;
        Some(text)
    }

    /// A pointer; `None` also for an encoding that code addresses do not have.
    #[inline]
    pub(super) fn pointer(&mut self, encoding: u8, bases: Bases) -> Option<u64> {
        let position = self.position() as u64;
        let value = match encoding & PE_FORMAT {
            0x0 | 0x4 | 0xc => self.u64()?,
            0x1 => self.uleb()?,
            0x2 => self.u16()?.into(),
            0x3 => self.u32()?.into(),
            0x9 => self.sleb()? as u64,
            0xa => i64::from(self.u16()? as i16) as u64,
            0xb => i64::from(self.u32()? as i32) as u64,
            _ => return None,
        };
        let base = match encoding & !PE_FORMAT {
            PE_ABSOLUTE => 0,
            PE_PCREL => bases.section.wrapping_add(position),
            PE_DATAREL => bases.data,
            _ => return None,
        };
        Some(base.wrapping_add(value))
    }

    /// A length, in the form of a pointer.
    #[inline]
    pub(super) fn length(&mut self, encoding: u8) -> Option<u64> {
        self.pointer(encoding & PE_FORMAT, Bases::default())
    }
}
