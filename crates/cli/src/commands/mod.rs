//! One file or folder a command.

pub mod bench;
pub mod config_show;
pub mod demo;
pub mod rules_check;
pub mod rules_explain;
pub mod rules_list;
pub mod rules_test;
pub mod run;
pub mod simulate;
