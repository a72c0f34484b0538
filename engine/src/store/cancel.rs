//! A wish to end something that takes a while, shared between who wishes and who works.

use crate::error::{Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// Clones share one wish.
#[derive(Clone, Default)]
pub struct Cancel(Rc<Shared>);

#[derive(Default)]
struct Shared {
    wished: Cell<bool>,
    wakes: RefCell<Vec<Box<dyn Fn()>>>,
}

impl Cancel {
    /// Wishes it, and wakes who waits for something else.
    pub fn cancel(&self) {
        self.0.wished.set(true);
        self.0.wakes.borrow().iter().for_each(|wake| wake());
    }

    /// Whether it was wished.
    pub fn is_cancelled(&self) -> bool {
        self.0.wished.get()
    }

    /// [`ErrorKind::Cancelled`] if it was wished.
    pub fn check(&self) -> Result<()> {
        match self.is_cancelled() {
            true => Err(Error::new(ErrorKind::Cancelled, "Cancelled.")),
            false => Ok(()),
        }
    }

    /// What ends a wait; what ended others, which may be over, is kept.
    pub fn on_cancel(&self, wake: impl Fn() + 'static) {
        self.0.wakes.borrow_mut().push(Box::new(wake));
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancel({})", self.is_cancelled())
    }
}
