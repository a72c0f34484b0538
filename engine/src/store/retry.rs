//! How often, and after how long, a broken connection is tried again.

/// Waits while the server has not answered at all: most likely it will not.
const CONNECTING_WAITS_MS: &[u32] = &[500];
/// Waits once it has answered: the fault will most likely pass.
const ANSWERED_WAITS_MS: &[u32] = &[500, 1000, 2000, 4000];

/// Counts failures in a row.
#[derive(Debug, Default)]
pub struct Retry {
    answered: bool,
    failures: usize,
}

impl Retry {
    /// The server answered, if only to say that it is busy.
    pub fn answered(&mut self) {
        self.answered = true;
    }

    /// Bytes arrived: the next failure is the first one again.
    pub fn progressed(&mut self) {
        self.answered = true;
        self.failures = 0;
    }

    /// After another failure: how long to wait before the next attempt, or none to give up.
    pub fn wait_ms(&mut self) -> Option<u32> {
        let waits = if self.answered { ANSWERED_WAITS_MS } else { CONNECTING_WAITS_MS };
        let wait = waits.get(self.failures).copied();
        self.failures += 1;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_up_after_failures_in_a_row() {
        let mut retry = Retry::default();
        assert_eq!([(); 2].map(|()| retry.wait_ms()), [Some(500), None]);

        let mut retry = Retry::default();
        retry.answered();
        assert_eq!([(); 2].map(|()| retry.wait_ms()), [Some(500), Some(1000)]);
        retry.progressed();
        assert_eq!([(); 5].map(|()| retry.wait_ms()), [Some(500), Some(1000), Some(2000), Some(4000), None]);
    }
}
