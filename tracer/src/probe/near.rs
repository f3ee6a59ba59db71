//! Names that somebody who typed another one may have meant.

use std::collections::BTreeSet;

use super::{elf::Elf, pattern};
use crate::symbol;

/// The most that are suggested.
const SUGGESTED: usize = 5;

/// The longest name that is compared letter by letter.
const MAX_COMPARED: usize = 64;

/// The likeliest first. Of names that are written with their namespaces the last part counts.
pub(super) fn near<'a>(typed: &str, files: impl Iterator<Item = &'a Elf>) -> Vec<String> {
    let wanted = typed.to_lowercase();
    let mut found = BTreeSet::new();
    for elf in files {
        for (raw, _) in elf.symbols().functions() {
            let name = pattern::short(raw);
            let Some(unlike) = unlike(&name.to_lowercase(), &wanted) else {
                continue;
            };
            found.insert((unlike, name.len(), name.into_owned()));
            if found.len() > SUGGESTED {
                found.pop_last();
            }
        }
    }
    let names = found.into_iter().map(|(.., name)| symbol::clean(name));
    names.collect()
}

/// How far a name is from the wanted one; `None`: too far.
fn unlike(name: &str, wanted: &str) -> Option<usize> {
    const FARTHEST_PART: usize = 3;
    let (last, wanted_last) = (last_part(name), last_part(wanted));
    if last == wanted_last {
        return Some(0);
    }
    if wanted_last.len() >= FARTHEST_PART && name.starts_with(wanted) {
        return Some(1);
    }
    if wanted_last.len() >= FARTHEST_PART && last.contains(&wanted_last) {
        return Some(2);
    }
    let allowed = (wanted_last.len() / 3).max(1);
    let comparable = wanted_last.len() <= MAX_COMPARED
        && last.len().abs_diff(wanted_last.len()) <= allowed
        && wanted_last.len() > 1;
    let distance = comparable.then(|| strsim::osa_distance(&last, &wanted_last))?;
    (distance <= allowed).then_some(FARTHEST_PART + distance)
}

/// The function's own name: without namespaces, parameters, and what is in angle brackets.
fn last_part(name: &str) -> String {
    let bare = pattern::without_arguments(&name.replace("(anonymous namespace)", "_"));
    let plain = bare.split('(').next().unwrap_or_default();
    plain.rsplit("::").next().unwrap_or(plain).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_first() {
        let order = |wanted: &str, names: &[&str]| {
            let mut near: Vec<(usize, String)> = names
                .iter()
                .filter_map(|name| Some((unlike(name, wanted)?, (*name).to_owned())))
                .collect();
            near.sort();
            near.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        let names = ["malloc", "mallinfo", "malloc_usable_size", "calloc", "free"];
        assert_eq!(order("maloc", &names), ["malloc"]);
        assert_eq!(order("mallo", &names), ["malloc", "malloc_usable_size"]);
        let methods = ["std::vector<int>::push_back", "app::push", "app::serve"];
        assert_eq!(
            order("push_back", &methods),
            ["std::vector<int>::push_back"]
        );
        assert_eq!(order("app::serv", &methods), ["app::serve"]);
        assert_eq!(order("alpa", &["alpha", "alphabet"]), ["alpha"]);
        assert_eq!(order("x", &["y", "z"]), Vec::<String>::new());
    }
}
