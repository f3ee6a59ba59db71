//! Names for the frames of scripted profiles: what a symbolizer would have found.

use tracer::{
    profile::{Frame, FrameId, NoMapping, Profile},
    symbol::{Function, NoName, Symbol, Symbols},
    view,
};

use crate::cases::Name;

/// Enters a name, or why there is none, for every frame that is new.
pub(crate) fn symbolize(profile: &mut Profile, symbols: &mut Symbols, names: &[Name]) {
    for id in profile.new_frames() {
        let place = place(profile, id);
        let known = names.iter().find(|(known, _)| *known == place);
        let answer = match (known, profile.frame(id)) {
            (Some((_, functions)), _) => Ok(Symbol {
                functions: functions
                    .iter()
                    .map(|name| Function {
                        name: (*name).to_owned(),
                        location: None,
                    })
                    .collect(),
            }),
            (None, Frame::Kernel { .. }) => Err(NoName::KernelHidden),
            (None, Frame::File { .. }) => Err(NoName::Stripped),
            (None, Frame::Jit { .. }) => Err(NoName::NoPerfMap),
            (
                None,
                Frame::Unmapped {
                    why: NoMapping::ProcessGone,
                    ..
                },
            ) => Err(NoName::ProcessGone),
            (
                None,
                Frame::Unmapped {
                    why: NoMapping::OutsideMappings,
                    ..
                },
            ) => Err(NoName::Unmapped),
        };
        symbols.insert(id, answer);
    }
}

fn place(profile: &Profile, id: FrameId) -> String {
    match profile.frame(id) {
        Frame::Kernel { address } => format!("[kernel]+{address:#x}"),
        Frame::Jit { address, .. } => format!("[jit]+{address:#x}"),
        Frame::Unmapped { address, .. } => format!("[unknown]+{address:#x}"),
        Frame::File { dso, offset } => {
            let path = String::from_utf8_lossy(&profile.dso(dso).path).into_owned();
            let name = path.rsplit('/').next().unwrap_or_default();
            view::clean(&format!("{name}+{offset:#x}"))
        }
    }
}
