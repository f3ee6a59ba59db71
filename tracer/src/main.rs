//! The `tracer` program: everything is in the library.

fn main() {}
