//! What a frame is called where it is shown.
//!
//! Owns the notation of folded stacks: suffixes by kind, and what stands for a missing name.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::{
    name::{clean, clean_bytes},
    truncation::{Place, reason},
};
use crate::{
    profile::{Comm, Dso, Frame, FrameId, Profile, StackNode, Stop, Truncation},
    symbol::Symbols,
};

/// What a node of a tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A thread's name.
    Comm,
    /// Callers are missing.
    Truncated,
    /// A function of a file.
    Native,
    /// A function inlined into its caller.
    Inlined,
    /// Code compiled at run time.
    Jit,
    /// A kernel function, inlined or not.
    Kernel,
    /// An address for which no mapping is known.
    Unmapped,
}

/// A name and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The displayed name, with the suffix of its kind. Nodes are the same if this is.
    pub text: String,
    /// What it names. Where frames of several kinds have one name, the first of the kinds.
    pub kind: Kind,
    /// The name of the file that it is in, or what stands for it; empty for a thread's name, and
    /// `(several files)` where files have functions of one name.
    pub dso: String,
}

/// Stands for the files of a name that several have.
const SEVERAL: &str = "(several files)";

impl Label {
    /// A thread's name.
    pub(super) fn comm(comm: Comm) -> Self {
        Self::of_kind(Kind::Comm, clean_bytes(comm.as_bytes()))
    }

    /// A process, by its name and PID.
    pub(super) fn process(comm: Comm, pid: u32) -> Self {
        let name = clean_bytes(comm.as_bytes());
        Self::of_kind(Kind::Comm, format!("{name} ({pid})"))
    }

    /// Everything.
    pub(super) fn all() -> Self {
        Self::of_kind(Kind::Comm, "all".to_owned())
    }

    /// What stands for missing callers.
    pub(super) fn truncated(profile: &Profile, why: Truncation, stop: Stop) -> Self {
        let reason = reason(why, &Place::of(profile, stop));
        Self::of_kind(Kind::Truncated, format!("[truncated: {reason}]"))
    }

    fn of_kind(kind: Kind, text: String) -> Self {
        Self {
            text,
            kind,
            dso: String::new(),
        }
    }
}

/// A label, interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LabelId(pub(super) u32);

/// Labels, each once.
pub(super) struct Labels<'a> {
    profile: &'a Profile,
    symbols: &'a Symbols,
    labels: Vec<Label>,
    /// First levels and frames never meet in a tree, so that they may have one name and be two.
    comms: FxHashMap<String, LabelId>,
    frames: FxHashMap<String, LabelId>,
    by_frame: FxHashMap<FrameId, Box<[LabelId]>>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(profile: &'a Profile, symbols: &'a Symbols) -> Self {
        let (comms, frames, by_frame) = Default::default();
        Self {
            profile,
            symbols,
            labels: Vec::new(),
            comms,
            frames,
            by_frame,
        }
    }

    /// The labels of a node, outermost function first, are put behind `onto`.
    pub(super) fn extend(&mut self, onto: &mut Vec<LabelId>, node: StackNode) {
        match node {
            StackNode::Truncated(why, stop) => {
                let label = Label::truncated(self.profile, why, stop);
                onto.push(self.intern(label));
            }
            StackNode::Frame(frame) => {
                if let Some(labels) = self.by_frame.get(&frame) {
                    onto.extend(labels);
                    return;
                }
                let labels = labels_of(self.profile, self.symbols, frame).into_iter();
                let labels: Box<[LabelId]> = labels.map(|label| self.intern(label)).collect();
                onto.extend(&labels);
                self.by_frame.insert(frame, labels);
            }
        }
    }

    pub(super) fn get(&self, label: LabelId) -> &Label {
        &self.labels[label.0 as usize]
    }

    pub(super) fn into_labels(self) -> Vec<Label> {
        self.labels
    }

    pub(super) fn intern(&mut self, label: Label) -> LabelId {
        let known = match label.kind {
            Kind::Comm => &mut self.comms,
            _ => &mut self.frames,
        };
        match known.entry(label.text) {
            Entry::Occupied(known) => {
                // Not the kind that happened to come first: trees do not depend on that.
                if let Some(first) = self.labels.get_mut(known.get().0 as usize) {
                    first.kind = first.kind.min(label.kind);
                    if label.dso != first.dso {
                        SEVERAL.clone_into(&mut first.dso);
                    }
                }
                *known.get()
            }
            Entry::Vacant(vacant) => {
                let id = LabelId(self.labels.len() as u32);
                let text = vacant.key().clone();
                self.labels.push(Label {
                    text,
                    kind: label.kind,
                    dso: label.dso,
                });
                *vacant.insert(id)
            }
        }
    }
}

/// The labels of a frame, outermost function first.
pub(super) fn labels_of(profile: &Profile, symbols: &Symbols, id: FrameId) -> Vec<Label> {
    let frame = profile.frame(id);
    let (kind, suffix) = match frame {
        Frame::Kernel { .. } => (Kind::Kernel, "_[k]"),
        Frame::File { .. } => (Kind::Native, ""),
        Frame::Jit { .. } => (Kind::Jit, "_[j]"),
        Frame::Unmapped { .. } => (Kind::Unmapped, ""),
    };
    let dso = dso(profile, frame);
    // A symbol comes from the worker: that it has a function is not taken for granted.
    let symbol = symbols
        .get(id)
        .and_then(Result::ok)
        .filter(|symbol| !symbol.functions.is_empty());
    let Some(symbol) = symbol else {
        let name = clean(&place(profile, frame));
        return vec![Label {
            text: format!("{name}{suffix}"),
            kind,
            dso,
        }];
    };
    let functions = symbol
        .functions
        .iter()
        .enumerate()
        .map(|(depth, function)| {
            // What is inlined into kernel code is kernel code first.
            let (kind, suffix) = match kind {
                Kind::Kernel => (kind, suffix),
                _ if depth > 0 => (Kind::Inlined, "_[i]"),
                _ => (kind, suffix),
            };
            let mut text = clean(&function.name);
            text.push_str(suffix);
            Label {
                text,
                kind,
                dso: dso.clone(),
            }
        });
    functions.collect()
}

/// Where a frame without a name is.
fn place(profile: &Profile, frame: Frame) -> String {
    let at = match frame {
        Frame::Kernel { address }
        | Frame::Jit { address, .. }
        | Frame::Unmapped { address, .. } => address,
        Frame::File { offset, .. } => offset,
    };
    format!("{}+{at:#x}", dso(profile, frame))
}

/// The name of the file that a frame is in, or what stands for it.
pub(super) fn dso(profile: &Profile, frame: Frame) -> String {
    match frame {
        Frame::Kernel { .. } => "[kernel]".to_owned(),
        Frame::Jit { .. } => "[jit]".to_owned(),
        Frame::Unmapped { .. } => "[unknown]".to_owned(),
        Frame::File { dso, .. } => file_name(profile.dso(dso)),
    }
}

/// The name of a file without the folders that it is in.
pub(super) fn file_name(dso: &Dso) -> String {
    let path = dso.path.as_slice();
    // The kernel appends this to the path of a file that has been unlinked.
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    clean_bytes(path.rsplit(|byte| *byte == b'/').next().unwrap_or(path))
}
