//! Stacks of programs without frame pointers, against chains that are known frame by frame.

mod build;
mod frames;
mod linking;
mod lives;
mod oracle;
mod roots;
mod scene;
mod signals;
mod truth;
