//! SIGTERM and an interrupt ask for an end, a second one ends at once; SIGHUP asks for the rules to be read again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// A flag that is set when the program is to end.
///
/// # Errors
/// If the system does not let signals be handled.
pub fn watch() -> Result<Arc<AtomicBool>, Failure> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the second signal finds the flag set by the first.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))
            .and_then(|_| flag::register(signal, Arc::clone(&asked)))
            .map_err(|error| Failure::Running(format!("signals cannot be handled: {error}")))?;
    }
    Ok(asked)
}

/// A flag that is set when the rules are to be read again.
///
/// # Errors
/// If the system does not let signals be handled.
pub fn reread() -> Result<Arc<AtomicBool>, Failure> {
    let asked = Arc::new(AtomicBool::new(false));
    flag::register(SIGHUP, Arc::clone(&asked))
        .map_err(|error| Failure::Running(format!("signals cannot be handled: {error}")))?;
    Ok(asked)
}
