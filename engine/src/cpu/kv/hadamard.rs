//! A Hadamard rotation of keys and queries, which spreads what is large in a few elements over all of them.
//!
//! Some elements of a key are many times larger than the others, and bytes with one scale would keep little of these. Scores are
//! the same when queries are rotated, too. <https://arxiv.org/abs/2404.00456>

/// Multiplies N vectors beside each other by a Hadamard matrix, which undoes itself: as many elements at a time as the largest
/// power of 2 that divides their number.
pub(super) fn hadamard<const N: usize>(x: &mut [[f32; N]]) {
    let n = 1 << x.len().trailing_zeros();
    let scale = 1.0 / (n as f32).sqrt();
    for x in x.chunks_exact_mut(n) {
        let distances = std::iter::successors(Some(1), |distance| Some(2 * distance));
        for distance in distances.take_while(|distance| *distance < n) {
            for pairs in x.chunks_exact_mut(2 * distance) {
                let (first, second) = pairs.split_at_mut(distance);
                let pairs = first.as_flattened_mut().iter_mut().zip(second.as_flattened_mut());
                pairs.for_each(|(a, b)| (*a, *b) = (*a + *b, *a - *b));
            }
        }
        x.as_flattened_mut().iter_mut().for_each(|x| *x *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn it_undoes_itself_and_keeps_scores() {
        for len in [1, 7, 64, 80, 96, 256] {
            let x: Vec<[f32; 2]> = (0..len).map(|i| [(i as f32).sin(), (i as f32 * 1.7).cos()]).collect();
            let score = |x: &[[f32; 2]]| x.iter().map(|[q, k]| q * k).sum::<f32>();
            let mut rotated = x.clone();
            hadamard(&mut rotated);
            assert!((score(&rotated) - score(&x)).abs() < 1e-4, "{len} elements");
            hadamard(&mut rotated);
            let (rotated, x) = (rotated.as_flattened(), x.as_flattened());
            assert!(rotated.iter().zip(x).all(|(a, b)| (a - b).abs() < 1e-5), "{len} elements");
        }
    }

    #[test]
    fn what_is_large_in_one_element_is_spread() {
        let mut x = [[0.0]; 64];
        x[5] = [8.0];
        hadamard(&mut x);
        assert!(x.as_flattened().iter().all(|x| x.abs() == 1.0));
    }
}
