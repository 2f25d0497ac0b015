//! Many random cases, over all cores, each from a seed of its own: so that one can be tried again without the others.

use std::fmt::{Debug, Display};
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner};
use watchfire_record::{Clock, time::SystemClock};

/// After so many different failures no more are looked for.
const MOST_FAILURES: usize = 5;

/// What is asked of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many cases.
    pub cases: u64,
    /// The number of the first one.
    pub first: u64,
    /// What all cases come from.
    pub seed: u64,
    /// After how long it ends, though there are cases left, microseconds.
    pub time: Option<i64>,
    /// How often a case that fails is made smaller, at most. With 0 the first failure ends the run.
    pub shrinks: u32,
    /// How many are tried at once.
    pub threads: usize,
}

impl Settings {
    /// `WATCHFIRE_CASES` (1,500), `WATCHFIRE_FIRST_CASE` (0), `WATCHFIRE_SEED` (that of proptest, else another one each
    /// time), `WATCHFIRE_MINUTES` (no end), `WATCHFIRE_SHRINKS` (2,000).
    pub fn of_environment() -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
            Some(text.parse::<u64>().unwrap_or_else(|error| panic!("{name} is no number: {text}: {error}")))
        };
        let seed = number("WATCHFIRE_SEED").or_else(|| number("PROPTEST_RNG_SEED"));
        Self {
            cases: number("WATCHFIRE_CASES").unwrap_or(1500),
            first: number("WATCHFIRE_FIRST_CASE").unwrap_or(0),
            seed: seed.unwrap_or_else(|| RandomState::new().hash_one(0) >> 16),
            time: number("WATCHFIRE_MINUTES").map(|minutes| i64::try_from(minutes).unwrap() * 60_000_000),
            shrinks: number("WATCHFIRE_SHRINKS").map_or(2000, |shrinks| u32::try_from(shrinks).unwrap()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The stack of a thread that tries cases.
const STACK_BYTES: usize = 32 << 20;

/// Tries cases until all are done, the time is over, or enough have failed. The last line says what came of it.
///
/// # Panics
/// If a case fails: with the smallest one that does, and how to try it again.
pub fn run<S: Strategy>(
    settings: &Settings,
    cases: impl Fn() -> S + Sync,
    check: impl Fn(S::Value) -> TestCaseResult + Sync,
) where
    S::Value: Display + Debug,
{
    let begun = SystemClock.now();
    let (next, done, failures) = (AtomicU64::new(settings.first), AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..settings.threads {
            // DataFusion's frames are large where it is not optimised.
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            let tried = thread.spawn_scoped(scope, || {
                let strategy = cases();
                while let ControlFlow::Continue(index) = claim(settings, begun, &next, &failures) {
                    if let Err(failure) = try_one(settings, index, &strategy, &check) {
                        failures.lock().unwrap().push(failure);
                    }
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(1000) {
                        eprintln!("{done} of {} cases, {} s", settings.cases, (SystemClock.now() - begun) / 1_000_000);
                    }
                }
            });
            tried.expect("there is room for a thread");
        }
    });
    let (failures, done) = (failures.into_inner().unwrap(), done.into_inner());
    let summary = format!(
        "oracle: {done} cases in {} s, {} differences, seed {}",
        (SystemClock.now() - begun) / 1_000_000,
        failures.len(),
        settings.seed
    );
    assert!(failures.is_empty(), "{}\n{summary}", failures.join("\n\n"));
    println!("{summary}");
}

/// The number of the next case, if there is one to be tried.
fn claim(settings: &Settings, begun: i64, next: &AtomicU64, failures: &Mutex<Vec<String>>) -> ControlFlow<(), u64> {
    let over = settings.time.is_some_and(|time| SystemClock.now() - begun >= time);
    if over || failures.lock().unwrap().len() >= if settings.shrinks == 0 { 1 } else { MOST_FAILURES } {
        return ControlFlow::Break(());
    }
    let index = next.fetch_add(1, Ordering::Relaxed);
    if index < settings.first + settings.cases { ControlFlow::Continue(index) } else { ControlFlow::Break(()) }
}

fn try_one<S: Strategy>(
    settings: &Settings,
    index: u64,
    strategy: &S,
    check: &impl Fn(S::Value) -> TestCaseResult,
) -> Result<(), String>
where
    S::Value: Display + Debug,
{
    let seed = settings.seed;
    let config = Config { max_shrink_iters: settings.shrinks, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&index.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let tree = strategy.new_tree(&mut runner).expect("no strategy here refuses what it draws");
    match runner.run_one(tree, check) {
        Ok(_) => Ok(()),
        Err(TestError::Fail(reason, case)) => Err(format!(
            "case {index} of seed {seed} fails: {reason}\nmade small (for oracle/known.rs):\n{case}\nto try it again: scripts/soak oracle --seed {seed} --first {index} --cases 1"
        )),
        Err(TestError::Abort(reason)) => Err(format!("case {index} of seed {seed} is given up: {reason}")),
    }
}
