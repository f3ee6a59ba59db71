//! Mangled names as people write them.
//!
//! Only names with the prefix of a mangling scheme are touched: to a demangler of C++ types, the C
//! function `f` is `float`.

use cpp_demangle::DemangleOptions;

/// The name without its mangling, if it has one.
pub(crate) fn demangle(name: &str) -> Option<String> {
    // Some platforms put another underscore before every symbol.
    let plain = name
        .strip_prefix('_')
        .filter(|rest| rest.starts_with("_Z"))
        .unwrap_or(name);
    if (plain.starts_with("_R") || plain.starts_with("_ZN"))
        && let Ok(rust) = rustc_demangle::try_demangle(plain)
    {
        // The alternate form leaves out the hash.
        return Some(format!("{rust:#}"));
    }
    if !plain.starts_with("_Z") {
        return None;
    }
    let symbol = cpp_demangle::Symbol::new(plain).ok()?;
    symbol
        .demangle_with_options(&DemangleOptions::default())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mangled_names_are_demangled() {
        for (name, expected) in [
            (
                "_ZN4core9panicking9panic_fmt17h5f1a6fd39197ad62E",
                Some("core::panicking::panic_fmt"),
            ),
            (
                "_RNvCskwGfYPst2Cb_3foo16example_function",
                Some("foo::example_function"),
            ),
            ("_Z3addii", Some("add(int, int)")),
            (
                "_ZNSt6vectorIiE4pushEi",
                Some("std::vector<int>::push(int)"),
            ),
            ("__Z3addii", Some("add(int, int)")),
            ("f", None),
            ("i", None),
            ("St", None),
            ("Ss", None),
            ("u3foo", None),
            ("main", None),
            ("_start", None),
            ("_Z", None),
            ("_Rubbish", None),
            ("", None),
        ] {
            assert_eq!(demangle(name).as_deref(), expected, "{name:?}");
        }
    }
}
