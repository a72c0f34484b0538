//! The engine as a web worker: the page starts it, and everything else is a message.

fn main() {}
