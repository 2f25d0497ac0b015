//! Tests that need a real broker. `scripts/test-kafka` starts one and runs them.
//!
//! Without it they say so and pass, so that `cargo test --workspace` needs nothing installed. Read [`broker`] first.

mod broker;
mod listeners;
