//! Tests that need a real broker. `scripts/test-kafka` starts one and runs them.
//!
//! Without it they say so and pass, so that `cargo test --workspace` needs nothing installed. Read [`broker`] first,
//! then [`scene`]: what a test of the whole program is made of.

mod broker;
mod program;
mod records;
mod scene;
mod tail;
mod waiting;

mod hostile;
mod listeners;
mod members;
mod mistakes;
mod outage;
mod partitions;
mod reload;
mod silence;
mod speed;
