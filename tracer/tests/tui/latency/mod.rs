//! The interface of latencies with no terminal and no kernel: scripted batches → answers → state →
//! cells.

mod heatmap;
mod keys;
mod screens;
mod script;
