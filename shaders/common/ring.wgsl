// A layer with a window keeps the last positions only: a new one takes the slot of the one that is RING positions older.

// Slots, in whole blocks of 32: enough for what a batch sees and what it writes.
override RING: u32;

fn slot_of(position: u32) -> u32 {
    return position % RING;
}
