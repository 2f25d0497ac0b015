//! The `watchfire` program: arguments become one typed configuration, once, and one call.
//!
//! Knows how people meet the program: command lines, settings files, terminals, exit codes. Knows nothing of how
//! records are decoded, judged or kept: that is the engine's, which it is handed to whole. Read [`Arguments`] first.

mod arguments;
mod commands;
mod failure;
mod launch;
mod process;
mod rules;
mod screen;
mod settings;
mod signals;

use std::process::ExitCode;
use std::str::FromStr;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::arguments::{Arguments, Command, ConfigCommand, RulesCommand};
use crate::failure::Failure;
use crate::screen::{Log, Screen};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return say_usage(&error),
    };
    let screen = Screen::new();
    let result = log(&arguments, &screen).and_then(|()| run(&arguments, &screen));
    screen.clear_status();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if screen.reader_gone() => Failure::ReaderGone.code(),
        Err(failure) => {
            if let Some(message) = failure.message() {
                screen.notice("error", message);
            }
            failure.code()
        }
    }
}

fn run(arguments: &Arguments, screen: &Screen) -> Result<(), Failure> {
    let settings = settings::load(arguments.config.as_deref(), &arguments.set)?;
    match &arguments.command {
        Command::Demo(options) => commands::demo::run(options, settings, screen),
        Command::Run(options) => commands::run::run(options, settings, screen),
        Command::Rules { command } => match command {
            RulesCommand::Check(options) => commands::rules_check::run(options, &settings, screen),
            RulesCommand::Test(options) => commands::rules_test::run(options, &settings, screen),
            RulesCommand::List(options) => commands::rules_list::run(options, &settings, screen),
            RulesCommand::Explain(options) => commands::rules_explain::run(options, &settings, screen),
        },
        Command::Simulate(options) => commands::simulate::run(options, &settings, screen),
        Command::Bench(options) => commands::bench::run(options, settings, screen),
        Command::Config { command: ConfigCommand::Show(options) } => {
            commands::config_show::run(options, &settings, screen)
        }
    }
}

/// Help and the version are no failure; a wrong command line is, with the code of wrong settings.
fn say_usage(error: &clap::Error) -> ExitCode {
    // Nobody to tell if neither output is open.
    let _ = error.print();
    if error.use_stderr() { Failure::Setting(String::new()).code() } else { ExitCode::SUCCESS }
}

fn log(arguments: &Arguments, screen: &Screen) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::Setting(format!("--log {}: {error}; write error, warn, info, debug or trace", arguments.log))
    };
    // A single word that is no level would be taken for a part of the program that is to log all, and others nothing.
    let is_known = |part: &str| part.contains('=') || LevelFilter::from_str(part.trim()).is_ok();
    if let Some(part) = arguments.log.split(',').find(|part| !is_known(part)) {
        return Err(wrong(&format_args!("`{part}` is no level")));
    }
    let filter = EnvFilter::try_new(&arguments.log).map_err(|error| wrong(&error))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(screen.error_colour());
    builder.with_writer(Log(screen.clone())).init();
    Ok(())
}
