//! The binary: the command line with the demonstration's simulated world plugged in.

fn main() {}
