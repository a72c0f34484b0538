//! One buffer, written by many tasks at the same time, each its own part of it.

use super::Pool;
use std::marker::PhantomData;
use std::ops::Range;

/// Some columns of `[n_rows, width]` floats, which no other task has.
#[derive(Debug)]
pub(crate) struct Columns<'a> {
    start: *mut f32,
    n_rows: usize,
    width: usize,
    range: Range<usize>,
    lifetime: PhantomData<&'a mut [f32]>,
}

impl Columns<'_> {
    /// Which columns.
    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Columns of the buffer.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Rows of the buffer.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// These columns of one row.
    pub(crate) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.n_rows, "row {row} of {}", self.n_rows);
        // SAFETY: row and range are inside the buffer, which is borrowed for our lifetime; other tasks have other columns.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.width + self.range.start), self.range.len()) }
    }
}

/// The start of a buffer that threads share.
#[derive(Clone, Copy)]
struct Start<T>(*mut T);
// SAFETY: tasks reach only their own part through it, and what is there may go to another thread.
unsafe impl<T: Send> Sync for Start<T> {}

impl<T> Start<T> {
    /// A method, so that closures capture the whole and not the pointer in it.
    fn get(&self) -> *mut T {
        self.0
    }
}

impl Pool {
    /// Cuts the columns of dst `[n_rows, width]` between multiples of `unit`, and does each part as a task.
    pub(crate) fn columns(&self, dst: &mut [f32], width: usize, unit: usize, task: impl Fn(Columns<'_>) + Sync) {
        let n_units = width.div_ceil(unit);
        let (n_parts, n_rows, start) = (self.n_parts(n_units), dst.len() / width, Start(dst.as_mut_ptr()));
        let bound = |part: usize| (n_units * part / n_parts * unit).min(width);
        self.run(n_parts, &|part| {
            let range = bound(part)..bound(part + 1);
            task(Columns { start: start.get(), n_rows, width, range, lifetime: PhantomData });
        });
    }

    /// Cuts dst into runs of whole rows, and does each run as a task, which is told its first row.
    pub(crate) fn rows<T: Send>(&self, dst: &mut [T], width: usize, task: impl Fn(usize, &mut [T]) + Sync) {
        let n_rows = dst.len() / width;
        let (n_parts, start) = (self.n_parts(n_rows), Start(dst.as_mut_ptr()));
        self.run(n_parts, &|part| {
            let rows = n_rows * part / n_parts..n_rows * (part + 1) / n_parts;
            // SAFETY: the rows are inside the buffer, which is borrowed until `run` returns, and are no other task's.
            let dst =
                unsafe { std::slice::from_raw_parts_mut(start.get().add(rows.start * width), rows.len() * width) };
            task(rows.start, dst);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn parts_cover_everything_once() {
        for n_threads in [1, 3] {
            // The helpers never come: what counts is how the work is cut.
            let (pool, _) = Pool::new(n_threads);
            for (n_rows, width) in [(1, 1), (1, 8), (5, 21), (7, 1000)] {
                let mut x = vec![0.0; n_rows * width];
                pool.columns(&mut x, width, 8, |mut columns| {
                    assert_eq!(columns.range().start % 8, 0);
                    (0..columns.n_rows()).for_each(|row| columns.row(row).iter_mut().for_each(|x| *x += 1.0));
                });
                pool.rows(&mut x, width, |first, rows| {
                    assert!(first * width + rows.len() <= n_rows * width);
                    rows.iter_mut().for_each(|x| *x += 1.0);
                });
                assert!(x.iter().all(|x| *x == 2.0));
            }
        }
    }
}
