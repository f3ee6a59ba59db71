//! Which types may be read from and written to the kernel as bytes.

/// A type that is its bytes: any bit pattern is a value, and there is no padding.
///
/// # Safety
///
/// Implemented for integers, and by a macro of this crate that checks that a structure's fields fill
/// it.
pub unsafe trait Plain: Copy + 'static {
    /// Reads a value from the start of `bytes`; `None` if they are too few.
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < size_of::<Self>() {
            return None;
        }
        // SAFETY: there are enough bytes, any bit pattern is a value, and an unaligned read needs
        // no alignment.
        Some(unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
    }

    /// The bytes of a value.
    fn bytes(&self) -> &[u8] {
        // SAFETY: a plain type has no padding, so all of its bytes are initialised.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), size_of::<Self>()) }
    }
}

// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: an integer.
unsafe impl Plain for u64 {}

/// Declares plain wire structs and checks that their fields leave no padding.
macro_rules! plain {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
        const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())*);
        // SAFETY: all fields are integers or arrays of them, and the assertion above shows that
        // nothing lies between them.
        unsafe impl $crate::Plain for $name {}
    )*};
}
pub(crate) use plain;
