//! From probes to places: which files, which functions of them, where in each.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::Arc,
};

use super::{
    Error, Manner, Resolved, Returns, Scope, Site, Skipped, Spec,
    elf::Elf,
    exits,
    files::{self, Candidate},
    near,
    pattern::{self, Pattern},
    place::{self, Code},
    refuse, symbols,
};
use crate::symbol;

const IFUNC: &str = "it is chosen at load time among several implementations (IFUNC): its symbol names what chooses, not what is called";
const GO: &str = "it is in a Go program, which a return probe would crash";
const NO_EXIT: &str = "it never returns or it is not known where, and an exception does not pass a return probe (--returns probe probes it all the same)";
const TAKEN: &str = "an earlier probe has it already";

/// A file that has been read, or why it cannot be probed.
type Read = Result<Elf, &'static str>;

/// A function that a probe means.
struct Match<'a> {
    name: &'a str,
    address: u64,
    size: u64,
    kind: symbols::Kind,
}

/// Finds what the probes mean. That one of them means nothing is an error.
pub fn resolve(specs: &[Spec], scope: &Scope, manner: Manner) -> Result<Resolved, Error> {
    if specs.is_empty() {
        return Err(Error::usage("no probe is given"));
    }
    let mut resolving = Resolving {
        manner,
        ..Resolving::default()
    };
    for (probe, spec) in specs.iter().enumerate() {
        resolving.spec(probe, spec, scope)?;
    }
    let Resolving {
        manner: _,
        mut resolved,
        files: _,
        taken: _,
    } = resolving;
    tell_apart(&mut resolved.sites);
    Ok(resolved)
}

#[derive(Default)]
struct Resolving {
    manner: Manner,
    resolved: Resolved,
    /// By device and inode.
    files: HashMap<(u64, u64), Read>,
    /// Where probes are already.
    taken: HashSet<(u64, u64, u64)>,
}

impl Resolving {
    fn spec(&mut self, probe: usize, spec: &Spec, scope: &Scope) -> Result<(), Error> {
        let candidates = files::candidates(spec.text(), &spec.place, scope)?;
        let mut matched = 0;
        let mut unreadable = None;
        for candidate in &candidates {
            let Some(identity) = identity(&candidate.path) else {
                continue;
            };
            let read = self.files.entry(identity).or_insert_with(|| {
                let file = symbol::open_file(&candidate.path).map_err(|_| "cannot be read")?;
                Elf::read(file)
            });
            match read {
                Ok(elf) => {
                    let mut of_file = OfFile {
                        manner: self.manner,
                        probe,
                        spec,
                        candidate,
                        file: Arc::from(candidate.path.as_path()),
                        elf,
                        identity,
                        resolved: &mut self.resolved,
                        taken: &mut self.taken,
                    };
                    matched += of_file.all()?;
                }
                Err(why) => unreadable = Some((candidate, *why)),
            }
        }
        if matched > 0 {
            return Ok(());
        }
        match (unreadable, candidates.len()) {
            (Some((candidate, why)), 1) => Err(Error::nothing(format!(
                "'{}': {} {why}",
                spec.text(),
                candidate.path.display()
            ))),
            _ => Err(self.nothing(spec, &candidates)),
        }
    }

    /// Nothing matches: what is alike, and what would help.
    fn nothing(&self, spec: &Spec, candidates: &[Candidate]) -> Error {
        let elves: Vec<(&Candidate, &Elf)> = candidates
            .iter()
            .filter_map(|candidate| {
                let read = self.files.get(&identity(&candidate.path)?)?;
                Some((candidate, read.as_ref().ok()?))
            })
            .collect();
        let names: Vec<&str> = candidates.iter().map(|file| file.shown.as_str()).collect();
        let place = match names.as_slice() {
            [one] => (*one).to_owned(),
            many => format!("any of {} files", many.len()),
        };
        let mut message = format!("no function in {place} matches '{}'", spec.pattern.text());
        let near = match spec.pattern.is_exact() {
            true => near::near(spec.pattern.text(), elves.iter().map(|(_, elf)| *elf)),
            false => Vec::new(),
        };
        if !near.is_empty() {
            message += &format!("; there is {}", near.join(", "));
        }
        if let [(candidate, elf)] = elves.as_slice()
            && elf.stripped
            && elf.debug_symbols().is_none()
        {
            let debug = elf.debug_file();
            message += &format!(
                "; {} is stripped and names only what it exports",
                candidate.shown
            );
            if let Some(debug) = debug {
                message += &format!(": its debug package would bring {}", debug.display());
            }
        }
        Error::nothing(message)
    }
}

/// One file, for one probe.
struct OfFile<'a> {
    manner: Manner,
    probe: usize,
    spec: &'a Spec,
    candidate: &'a Candidate,
    file: Arc<Path>,
    elf: &'a Elf,
    identity: (u64, u64),
    resolved: &'a mut Resolved,
    taken: &'a mut HashSet<(u64, u64, u64)>,
}

impl OfFile<'_> {
    /// How many functions match.
    fn all(&mut self) -> Result<usize, Error> {
        let own = matches(&self.spec.pattern, self.elf.symbols());
        let found = match (own.is_empty(), self.elf.debug_symbols()) {
            (true, Some(debug)) => matches(&self.spec.pattern, debug),
            _ => own,
        };
        for found in found.values() {
            self.one(found)?;
        }
        Ok(found.len())
    }

    fn one(&mut self, found: &Match<'_>) -> Result<(), Error> {
        let why = match found.kind {
            symbols::Kind::Ifunc => Some(IFUNC),
            _ if self.elf.go => Some(GO),
            _ => refuse::why_not(found.name),
        };
        if let Some(why) = why {
            // One of its older versions may be an ordinary function, which nobody calls.
            if found.kind == symbols::Kind::Ifunc && self.spec.pattern.is_exact() {
                let name = symbol::clean(pattern::short(found.name).into_owned());
                return Err(Error::nothing(format!(
                    "'{}' cannot be probed: {why}; see tracer list 'uprobe:{}:*{name}*' for the implementations that the file names",
                    self.spec.text(),
                    self.candidate.shown
                )));
            }
            self.skip(found, why.to_owned());
            return Ok(());
        }
        let Some(start) = self.elf.offset(found.address) else {
            self.skip(found, "its code is not in the file".to_owned());
            return Ok(());
        };
        let (place, exits) = match self.place(found)? {
            Ok(placed) => placed,
            Err(why) => {
                self.skip(found, why);
                return Ok(());
            }
        };
        let (device, inode) = self.identity;
        if !self.taken.insert((device, inode, start)) {
            self.skip(found, TAKEN.to_owned());
            return Ok(());
        }
        self.resolved.sites.push(Site {
            probe: self.probe,
            name: symbol::clean(pattern::short(found.name).into_owned()),
            dso: self.candidate.shown.clone(),
            file: Arc::clone(&self.file),
            start,
            offset: start + place.offset,
            exits: exits.into_iter().map(|exit| start + exit).collect(),
            class: place.class,
            instruction: place.instruction,
            symbol: found.name.to_owned(),
        });
        Ok(())
    }

    /// Where in the function, and where it ends unless a return probe says so; the inner error is why
    /// there is no place.
    fn place(&self, found: &Match<'_>) -> Result<Result<(place::Place, Vec<u64>), String>, Error> {
        let symbols = self.elf.symbols();
        let next = symbols
            .next(found.address)
            .or_else(|| self.elf.end_of_code(found.address))
            .unwrap_or(found.address);
        let whole = found.size > 0;
        let end = match whole {
            true => found.address.saturating_add(found.size),
            false => next,
        };
        let Some(bytes) = self
            .elf
            .code(found.address..end)
            .filter(|code| !code.is_empty())
        else {
            return Ok(Err("its code cannot be read".to_owned()));
        };
        let is_entered = |address: u64| symbols.has(address) || self.elf.is_jumped_to(address);
        let code = Code {
            bytes: &bytes,
            address: found.address,
            whole,
            is_entered: &is_entered,
        };
        let is_elsewhere = |address: u64| symbols.has(address) || self.elf.is_stub(address);
        let with_exits = |place: place::Place| {
            let wanted = match self.manner.returns {
                Returns::Auto => exits::may_unwind(found.name),
                Returns::Probe => false,
                Returns::Instruction => true,
            };
            match wanted.then(|| exits::exits(&code, is_elsewhere)) {
                None => Ok((place, Vec::new())),
                Some(Some(exits)) => Ok((place, exits)),
                Some(None) => Err(NO_EXIT.to_owned()),
            }
        };
        match self.spec.offset {
            None if self.manner.at_start => {
                Ok(place::at(&code, found.name, 0).and_then(with_exits))
            }
            None => Ok(place::cheapest(&code)
                .map_err(str::to_owned)
                .and_then(with_exits)),
            Some(offset) => {
                let name = pattern::short(found.name);
                place::at(&code, &symbol::clean(name.into_owned()), offset)
                    .map(with_exits)
                    .map_err(|why| Error::usage(format!("'{}': {why}", self.spec.text())))
            }
        }
    }

    fn skip(&mut self, found: &Match<'_>, why: String) {
        self.resolved.skipped.push(Skipped {
            probe: self.probe,
            name: symbol::clean(pattern::short(found.name).into_owned()),
            dso: self.candidate.shown.clone(),
            why,
        });
    }
}

/// By address: of names for one function the typed one, else the shortest that others can see.
fn matches<'a>(pattern: &Pattern, symbols: &'a symbols::Symbols) -> BTreeMap<u64, Match<'a>> {
    let mut found: BTreeMap<u64, (bool, Match<'a>)> = BTreeMap::new();
    for (name, symbol) in symbols
        .functions()
        .filter(|(name, _)| pattern.matches(name))
    {
        let symbols::Symbol {
            address,
            size,
            kind,
            global,
        } = symbol;
        let candidate = Match {
            name,
            address,
            size,
            kind,
        };
        let better = |(before_global, before): &(bool, Match<'_>)| {
            let rank = |global: bool, name: &str| {
                (
                    name != pattern.text(),
                    !global,
                    name.starts_with('_'),
                    name.len(),
                )
            };
            rank(global, name) < rank(*before_global, before.name)
        };
        match found.get(&address) {
            Some(before) if !better(before) => {}
            _ => {
                found.insert(address, (global, candidate));
            }
        }
    }
    found
        .into_iter()
        .map(|(address, (_, found))| (address, found))
        .collect()
}

/// Functions that are called the same get their parameters, or whatever else their whole names have.
fn tell_apart(sites: &mut [Site]) {
    let mut named: HashMap<(String, String), usize> = HashMap::new();
    for site in &*sites {
        *named
            .entry((site.dso.clone(), site.name.clone()))
            .or_default() += 1;
    }
    for site in sites {
        if named
            .get(&(site.dso.clone(), site.name.clone()))
            .is_some_and(|many| *many > 1)
        {
            site.name = symbol::clean(pattern::full(&site.symbol).into_owned());
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}
