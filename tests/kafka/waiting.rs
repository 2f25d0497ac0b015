//! Waiting that is bounded in time.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::Duration;

use watchfire_record::{Clock, SystemClock};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Microseconds since the epoch.
pub fn now() -> i64 {
    SystemClock.now()
}

/// A time that has an end.
pub struct Deadline(i64);

impl Deadline {
    /// So long from now.
    pub fn within(duration: Duration) -> Self {
        Self(now() + i64::try_from(duration.as_micros()).expect("tests wait for minutes, not for ages"))
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        now() >= self.0
    }
}

/// Looks until it is done; false if it was not in time.
pub fn until(within: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Deadline::within(within);
    while !done() {
        if deadline.is_over() {
            return false;
        }
        thread::sleep(LOOK);
    }
    true
}

/// Waits for a future on this thread.
pub fn for_future<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Arc::new(Unpark(thread::current())).into();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
