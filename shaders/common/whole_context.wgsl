// A layer keeps all positions of the context, each in its own slot.

fn slot_of(position: u32) -> u32 {
    return position;
}
