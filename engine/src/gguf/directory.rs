//! The tensor directory, and the checks that make it safe to follow.

use super::Tensor;
use super::reader::{Context, Reader, Stop, StopResult};
use crate::dtype::DType;
use std::collections::HashSet;

/// ggml's `GGML_MAX_DIMS`.
const DIMS_MAX: u32 = 4;

/// Reads `n` entries.
pub(super) fn read(reader: &mut Reader<'_>, n: u64, alignment: u64) -> StopResult<Vec<Tensor>> {
    let mut tensors = Vec::new();
    for index in 0..n {
        tensors.push(read_tensor(reader, || format!("tensor {index} of {n}"))?);
    }
    check_names(&tensors)?;
    place(&mut tensors, reader.position().next_multiple_of(alignment), alignment)?;
    check_ranges(&tensors, reader.file_bytes())?;
    Ok(tensors)
}

/// One entry, its offset still relative to the tensors' bytes.
fn read_tensor(reader: &mut Reader<'_>, nth: impl Fn() -> String) -> StopResult<Tensor> {
    let name = reader.str().context(nth)?;
    read_shape(reader, name).context(|| format!("tensor {name:?}"))
}

fn read_shape(reader: &mut Reader<'_>, name: &str) -> StopResult<Tensor> {
    let n_dims = reader.u32()?;
    if n_dims > DIMS_MAX {
        return Err(Stop::invalid(format!("it has {n_dims} dimensions, more than {DIMS_MAX}")));
    }
    let mut dims: Vec<u64> = reader.chunks(n_dims.into())?.iter().copied().map(u64::from_le_bytes).collect();
    if dims.is_empty() {
        dims.push(1); // A single number.
    }
    let id = reader.u32()?;
    let dtype = DType::from_ggml_id(id).ok_or_else(|| Stop::unsupported(unknown_type(id)))?;
    let offset = reader.u64()?;
    let size_bytes = size_bytes(dtype, &dims)?;
    Ok(Tensor { name: name.to_string(), dtype, dims, offset, size_bytes })
}

fn unknown_type(id: u32) -> String {
    let name = DType::ggml_name(id).map_or(String::new(), |name| format!(" ({name})"));
    let known: Vec<&str> = DType::ALL.iter().map(|dtype| dtype.name()).collect();
    format!("its type is {id}{name}: only {} can be read", known.join(", "))
}

/// Checks that rows are whole blocks and that neither elements nor bytes overflow a `usize`.
fn size_bytes(dtype: DType, dims: &[u64]) -> StopResult<u64> {
    if dims.contains(&0) {
        return Err(Stop::invalid(format!("its shape {dims:?} is empty")));
    }
    let block_len = dtype.block_len() as u64;
    if !dims[0].is_multiple_of(block_len) {
        return Err(Stop::invalid(format!("its rows of {} are not whole blocks of {block_len} ({dtype})", dims[0])));
    }
    let n_elements = dims.iter().try_fold(1u64, |n, dim| n.checked_mul(*dim));
    n_elements
        .filter(|n| usize::try_from(*n).is_ok())
        .and_then(|n| (n / block_len).checked_mul(dtype.block_bytes() as u64))
        .ok_or_else(|| Stop::invalid(format!("its shape {dims:?} is too large")))
}

fn check_names(tensors: &[Tensor]) -> StopResult<()> {
    let mut names = HashSet::new();
    match tensors.iter().find(|tensor| !names.insert(&tensor.name)) {
        Some(twice) => Err(Stop::invalid(format!("tensor {:?} is there twice", twice.name))),
        None => Ok(()),
    }
}

/// Makes the offsets count from the start of the file.
fn place(tensors: &mut [Tensor], data_start: u64, alignment: u64) -> StopResult<()> {
    for Tensor { name, offset, .. } in tensors {
        if !offset.is_multiple_of(alignment) {
            return Err(Stop::invalid(format!(
                "tensor {name:?}: its offset {offset} is not a multiple of {alignment}"
            )));
        }
        *offset = offset
            .checked_add(data_start)
            .ok_or_else(|| Stop::invalid(format!("tensor {name:?}: its offset {offset} is too large")))?;
    }
    Ok(())
}

/// Checks that the tensors lie in the file, each in a place of its own.
fn check_ranges(tensors: &[Tensor], file_bytes: u64) -> StopResult<()> {
    let mut in_file_order: Vec<&Tensor> = tensors.iter().collect();
    in_file_order.sort_by_key(|tensor| tensor.offset);
    for pair in in_file_order.windows(2) {
        if pair[1].offset - pair[0].offset < pair[0].size_bytes {
            return Err(Stop::invalid(format!("tensors {:?} and {:?} overlap", pair[0].name, pair[1].name)));
        }
    }
    let Some(last) = in_file_order.last() else { return Ok(()) };
    let end = last.offset.saturating_add(last.size_bytes);
    if end > file_bytes {
        let name = &last.name;
        return Err(Stop::invalid(format!(
            "the file is truncated: it has {file_bytes} bytes, and its last tensor {name:?} ends at {end}"
        )));
    }
    Ok(())
}
