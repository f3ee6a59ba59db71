//! Functions that a return probe would break, or that it would break their program with.
//!
//! A return probe replaces the return address on the stack. Whoever enters without one, keeps it
//! for later, or unwinds by way of it, does not survive that.

const PART: &str = "it is a part of a function that is jumped to, not called";
const NO_RETURN_ADDRESS: &str =
    "it is not called: there is no return address that a probe could use";
const KEPT: &str = "it keeps its return address for later, and a return probe breaks that";
const UNWINDS: &str = "it unwinds the stack, and a return probe makes that end the program";

/// Why a function is not probed; `None`: it may be.
pub(super) fn why_not(symbol: &str) -> Option<&'static str> {
    if is_part(symbol) {
        return Some(PART);
    }
    let entered = matches!(
        symbol,
        "_start" | "__restore_rt" | "__restore" | "_dl_start_user"
    ) || symbol.starts_with("_dl_runtime_resolve")
        || symbol.starts_with("_dl_runtime_profile")
        || symbol.starts_with("__morestack");
    if entered {
        return Some(NO_RETURN_ADDRESS);
    }
    let base = symbol.trim_start_matches('_');
    if matches!(base, "setjmp" | "sigsetjmp" | "getcontext" | "swapcontext") {
        return Some(KEPT);
    }
    let unwinds = symbol.starts_with("_Unwind_Raise")
        || symbol.starts_with("_Unwind_Resume")
        || symbol.starts_with("_Unwind_Forced")
        || symbol.starts_with("_Unwind_Backtrace")
        || symbol.starts_with("__cxa_throw")
        || symbol.starts_with("__cxa_rethrow")
        || symbol.starts_with("__cxa_bad_")
        || symbol.starts_with("_ZSt17rethrow_exception")
        || throws(symbol);
    unwinds.then_some(UNWINDS)
}

/// `std::__throw_…`.
fn throws(symbol: &str) -> bool {
    symbol.strip_prefix("_ZSt").is_some_and(|rest| {
        rest.trim_start_matches(|char: char| char.is_ascii_digit())
            .starts_with("__throw_")
    })
}

/// What compilers and linkers split off a function: gcc's `f.cold`, BOLT's `f.cold.0`, LLVM's
/// `f.__part.1`.
fn is_part(symbol: &str) -> bool {
    symbol.ends_with(".cold") || symbol.contains(".cold.") || symbol.contains(".__part.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dangerous_ones() {
        for (symbol, why) in [
            ("f.cold", Some(PART)),
            ("_ZN1A1fEv.cold.0", Some(PART)),
            ("f.part.0", None),
            ("cold", None),
            ("_start", Some(NO_RETURN_ADDRESS)),
            ("_dl_runtime_resolve_xsavec", Some(NO_RETURN_ADDRESS)),
            ("_setjmp", Some(KEPT)),
            ("__sigsetjmp", Some(KEPT)),
            ("longjmp", None),
            ("__cxa_throw", Some(UNWINDS)),
            ("__cxa_begin_catch", None),
            ("_Unwind_Resume", Some(UNWINDS)),
            ("_Unwind_Find_FDE", None),
            ("_ZSt20__throw_length_errorPKc", Some(UNWINDS)),
            ("_ZSt9terminatev", None),
        ] {
            assert_eq!(why_not(symbol), why, "{symbol}");
        }
    }
}
