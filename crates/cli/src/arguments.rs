//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use watchfire_record::{duration, time};

const EXAMPLES: &str = "\
Examples:
  watchfire demo                                      see it work, nothing to set up
  watchfire run --input logs/ --stream cloudtrail     detectors over files
  watchfire run --set kafka.brokers=kafka-1:9092      detectors over Kafka
  watchfire run -e '{\"eventTime\":\"…\",\"eventName\":…}'  a verdict on one record
  watchfire rules test queries                        do detectors find what they should?

Exit codes: 0 fine, 1 findings (with --gate), 2 a rule is wrong,
            3 the settings or the command line are wrong, 4 a failure while running";

/// Watches serverless applications by their logs: SQL detectors over Kafka or files, the moment records arrive.
#[derive(Debug, Parser)]
#[command(name = "watchfire", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Arguments {
    /// The settings file [default: watchfire.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// Sets one setting, over environment and file; can be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Settings")]
    pub set: Vec<String>,
    /// What is logged on standard error: error, warn, info, debug, trace
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "WATCHFIRE_LOG",
        default_value = "warn,librdkafka=error",
        help_heading = "Settings"
    )]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A simulated estate under attack, a broker and the detectors, all in this process
    Demo(Demo),
    /// Run detectors over Kafka topics, or over files until they end
    Run(Run),
    /// Check, test, list and explain detectors
    Rules {
        /// What to do with them.
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Write the logs of a simulated estate to files or topics
    Simulate(Simulate),
    /// Measure throughput, latency and memory on this machine
    Bench(Bench),
    /// Show the settings
    Config {
        /// What to do with them.
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// Settings for people.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every setting, its value, and which layer set it
    Show(Json),
}

/// What can be done with detectors.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Are they understood? If not: where, why, and what to write instead
    Check(RulesCheck),
    /// Do they find in their test records what they should, and nothing else?
    Test(RulesTest),
    /// What there is
    List(RulePaths),
    /// What a detector reads, keeps in memory, and when it fires
    Explain(Explain),
}

/// `--json` alone.
#[derive(Debug, Args)]
pub struct Json {
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// Detectors by their paths.
#[derive(Debug, Args)]
pub struct RulePaths {
    /// Detector files, folders, or folders of those [default: rules.folders, else those that ship]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `rules check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchfire rules check queries
  watchfire rules check queries --seen logs/ --stream cloudtrail")]
pub struct RulesCheck {
    /// Detector files, folders, or folders of those [default: rules.folders, else those that ship]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Records as they come: what they have is known, and what none of them has is told
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub seen: Vec<PathBuf>,
    /// The stream that these are of
    #[arg(long, value_name = "NAME", default_value = "cloudtrail", requires = "seen")]
    pub stream: String,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `rules test`.
#[derive(Debug, Args)]
pub struct RulesTest {
    /// Detector folders, or folders of those [default: rules.folders, else those that ship]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write what is found to findings.jsonl in place of comparing
    #[arg(long)]
    pub update: bool,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `rules explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The name of a detector in rules.folders or of one that ships; or a path
    #[arg(value_name = "NAME|PATH")]
    pub what: String,
    /// Run it over these records, and say what each part of it costs; can be repeated
    #[arg(long, value_name = "RECORDS")]
    pub analyze: Vec<PathBuf>,
    /// The stream that the records are of [default: the one that the detector reads first]
    #[arg(long, value_name = "NAME", requires = "analyze")]
    pub stream: Option<String>,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// One finding a line
    Json,
    /// OCSF 2004 events, one a line
    Ocsf,
}

/// `run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchfire run --input logs/ --stream cloudtrail --rules queries --findings found.jsonl
  zcat log.gz | watchfire run --input - --stream lambda --format json
  watchfire run -e '{\"eventTime\":\"2026-01-01T00:00:00Z\",\"eventName\":\"StopLogging\"}'
  watchfire run --set kafka.brokers=kafka-1:9092 --from 2h

With --input: files are read to their end, all windows close, and findings go to --findings
or to standard output; sinks in the settings are not used. Without: Kafka is read until
SIGTERM or an interrupt, and findings go to the sinks in the settings, else the terminal.")]
pub struct Run {
    /// Files, folders, patterns, or `-` for standard input; .gz and .zst are known by content
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub input: Vec<PathBuf>,
    /// Judge this one record, and say which detectors fire
    #[arg(short = 'e', long = "record", value_name = "RECORD", conflicts_with = "input")]
    pub record: Option<String>,
    /// The stream that the input is of [default: cloudtrail]; with Kafka: read only these
    #[arg(long, value_name = "NAME")]
    pub stream: Vec<String>,
    /// Detector files or folders [default: rules.folders, else those that ship]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub rules: Vec<PathBuf>,
    /// Write findings to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub findings: Option<PathBuf>,
    /// Write rejected records to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// How findings are written [default: human; json for --findings]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// For files: also tell of findings before they are final, and when they change
    #[arg(long)]
    pub early: bool,
    /// For files: when their records were received, in place of now
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    pub now: Option<i64>,
    /// For Kafka: where to start: committed, earliest, latest, 2h, 2026-01-01T00:00:00Z
    #[arg(long, value_name = "PLACE", conflicts_with = "input")]
    pub from: Option<String>,
    /// Threads that decode and match [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Exit with 1 if there are findings
    #[arg(long)]
    pub gate: bool,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// How long; 0: until interrupted
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub seconds: u32,
    /// Records a second
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub rate: u32,
    /// Another estate, other attacks
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Findings as JSON lines, the summary as the last one
    #[arg(long)]
    pub json: bool,
}

/// `simulate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchfire simulate --records 1000000 --streams cloudtrail --output logs.jsonl.zst
  watchfire simulate --duration 1h --output logs/ --truth truth.jsonl
  watchfire simulate --rate 500 --brokers localhost:9092 --attacks 'every 10s'
  watchfire simulate --duration 5m --attacks audit-logging-disabled@1m,root-user-used@2m")]
pub struct Simulate {
    /// How many records
    #[arg(long, value_name = "N")]
    pub records: Option<u64>,
    /// How long, in simulated time
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub duration: Option<i64>,
    /// Records a second by the clock, or max; without an end in sight 1000, else max
    #[arg(long, value_name = "R|max")]
    pub rate: Option<String>,
    /// Records a second of simulated time, where --rate does not say
    #[arg(long, value_name = "R", default_value_t = 1000.0)]
    pub density: f64,
    /// The same seed gives the same records
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// When simulated time starts [default: so that it ends now; at a rate: now]
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    pub start: Option<i64>,
    /// Which logs: cloudtrail, lambda, api [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub streams: Vec<String>,
    /// none, `every 30s`, or KIND@TIME,KIND@TIME…
    #[arg(long, value_name = "PLAN", default_value = "every 15s")]
    pub attacks: String,
    /// A file (compressed by its ending .zst or .gz), `-`, or a folder for one file a stream [default: -]
    #[arg(long, value_name = "PATH", conflicts_with = "brokers")]
    pub output: Option<PathBuf>,
    /// Send to Kafka, into the streams' topics
    #[arg(long, value_name = "HOST:PORT")]
    pub brokers: Option<String>,
    /// Write the truth about the attacks to this file
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
}

/// `bench`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchfire simulate --records 1000000 --streams cloudtrail --output logs.jsonl
  watchfire bench --input logs.jsonl --rules queries --json
  watchfire bench --memory logs.jsonl
  watchfire bench --embedded --records 200000
  watchfire bench --brokers localhost:9092 --topic cloudtrail")]
pub struct Bench {
    /// Files, read while it is measured
    #[arg(long, value_name = "PATH", num_args = 1.., group = "source")]
    pub input: Vec<PathBuf>,
    /// A file that is read into memory before it is measured
    #[arg(long, value_name = "FILE", group = "source")]
    pub memory: Option<PathBuf>,
    /// The embedded broker, with the simulator in this process: both are in the figures
    #[arg(long, group = "source")]
    pub embedded: bool,
    /// A Kafka topic, from its beginning to its present end
    #[arg(long, value_name = "HOST:PORT", group = "source", requires = "topic")]
    pub brokers: Option<String>,
    /// The topic
    #[arg(long, value_name = "NAME", requires = "brokers")]
    pub topic: Option<String>,
    /// Records, with --embedded
    #[arg(long, value_name = "N", default_value_t = 100_000, requires = "embedded")]
    pub records: u64,
    /// The stream that the input is of
    #[arg(long, value_name = "NAME", default_value = "cloudtrail")]
    pub stream: String,
    /// Detector files or folders [default: those that ship]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub rules: Vec<PathBuf>,
    /// Threads that decode and match [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

fn read_time(text: &str) -> Result<i64, String> {
    time::parse(text).ok_or_else(|| format!("`{text}` is no time: write it as 2026-01-01T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("watchfire").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_bounded_run_has_its_promised_form() {
        let line = "run --input a b --stream cloudtrail --rules x y --findings out.jsonl --set streams.cloudtrail.lateness=30s";
        let arguments = parse(line).unwrap();
        let Command::Run(run) = arguments.command else { panic!("it is a run") };
        assert_eq!(run.input, ["a", "b"].map(PathBuf::from));
        assert_eq!(run.rules, ["x", "y"].map(PathBuf::from));
        assert_eq!((run.stream, run.findings), (vec!["cloudtrail".to_owned()], Some("out.jsonl".into())));
        assert_eq!(arguments.set, ["streams.cloudtrail.lateness=30s"]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for line in [
            "",
            "runn",
            "run --workers 0",
            "run --now yesterday",
            "run --input a -e {}",
            "run --format xml",
            "bench --brokers b:1",
            "bench --embedded --memory f",
            "demo --seconds -1",
            "simulate --duration 5parsecs",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in
            ["demo", "run", "rules check", "rules test --update q", "simulate", "bench --memory f", "config show"]
        {
            assert!(parse(line).is_ok(), "{line}");
        }
    }
}
