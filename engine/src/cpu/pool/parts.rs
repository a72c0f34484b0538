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

/// How a buffer `[n_rows, width]` is cut: its part 0 is task `first`.
#[derive(Clone, Copy)]
struct Cut {
    first: usize,
    n_parts: usize,
    n_rows: usize,
    width: usize,
    start: Start<f32>,
}

impl Pool {
    /// Cuts the columns of every dst `[n_rows, width]` between multiples of `unit`, and does each part as a task of one job; the
    /// task is told which dst it is.
    pub(crate) fn columns<'a>(
        &self,
        dsts: impl Iterator<Item = (&'a mut [f32], usize)>,
        unit: usize,
        task: impl Fn(usize, Columns<'_>) + Sync,
    ) {
        let mut n_tasks = 0;
        let cuts: Vec<_> = dsts
            .map(|(dst, width)| {
                let (first, n_parts) = (n_tasks, self.n_parts(width.div_ceil(unit)));
                n_tasks += n_parts;
                Cut { first, n_parts, n_rows: dst.len() / width, width, start: Start(dst.as_mut_ptr()) }
            })
            .collect();
        self.run(n_tasks, &|task_number| {
            let of = cuts.partition_point(|cut| cut.first <= task_number) - 1;
            let Cut { first, n_parts, n_rows, width, start } = cuts[of];
            let bound = |part: usize| (width.div_ceil(unit) * part / n_parts * unit).min(width);
            let part = task_number - first;
            let range = bound(part)..bound(part + 1);
            task(of, Columns { start: start.get(), n_rows, width, range, lifetime: PhantomData });
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
                let (mut x, mut y) = (vec![0.0; n_rows * width], vec![0.0; 3 * 40]);
                pool.columns([(&mut x[..], width), (&mut y[..], 40)].into_iter(), 8, |of, mut columns| {
                    assert_eq!((columns.width(), columns.range().start % 8), ([width, 40][of], 0));
                    (0..columns.n_rows()).for_each(|row| columns.row(row).iter_mut().for_each(|x| *x += 1.0));
                });
                assert!(y.iter().all(|y| *y == 1.0));
                pool.rows(&mut x, width, |first, rows| {
                    assert!(first * width + rows.len() <= n_rows * width);
                    rows.iter_mut().for_each(|x| *x += 1.0);
                });
                assert!(x.iter().all(|x| *x == 2.0));
            }
        }
    }
}
