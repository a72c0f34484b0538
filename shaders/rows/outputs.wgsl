// Which row of the input belongs to a row of the result: the result has only the rows whose logits are wanted.

fn source_row(row: u32) -> u32 {
    return row + state.first_output;
}
