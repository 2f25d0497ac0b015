//! The language of detectors: from a file's text to a query that can be planned, or to words about what is wrong.
//!
//! [`parse`] reads header and SQL, [`check`] refuses by name what a detector may not say, [`expand`] writes shorthands
//! out. What only the planner can see comes back through [`from_planner_error`]. Read [`Diagnostic`] first.

mod catalogue;
pub mod codes;
mod depth;
mod diagnostic;
mod expand;
mod file;
mod foreign;
mod functions;
mod header;
mod hop;
mod nearest;
mod parse;
mod planner;
mod refuse;
mod render;
mod source;
mod syntax;
mod unseen;
mod windowed;
mod windows;

pub use diagnostic::{Diagnostic, Severity};
pub use expand::expand;
pub use file::{LoadError, RuleFile, load, missing_tests, missing_tests_warning};
pub use header::{Header, KEYS, version};
pub use nearest::nearest;
pub use parse::{Parsed, parse};
pub use planner::{
    from_composed, from_form, from_join, from_look_up, from_planner_error, from_threshold, joins_itself,
};
pub use refuse::check;
pub use unseen::{columns_with_known_values, field_not_seen};

#[cfg(test)]
mod tests;
