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
    wake: RefCell<Option<Box<dyn Fn()>>>,
}

impl Cancel {
    /// Wishes it, and wakes who waits for something else.
    pub fn cancel(&self) {
        self.0.wished.set(true);
        if let Some(wake) = &*self.0.wake.borrow() {
            wake();
        }
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

    /// What ends the wait in progress; replaces the one before.
    pub fn on_cancel(&self, wake: impl Fn() + 'static) {
        *self.0.wake.borrow_mut() = Some(Box::new(wake));
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancel({})", self.is_cancelled())
    }
}
