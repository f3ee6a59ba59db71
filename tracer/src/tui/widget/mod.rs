//! What surrounds the screens.

pub(super) mod header;
pub(super) mod help;
pub(super) mod hint;
pub(super) mod query;
pub(super) mod timeline;
