//! Puts it all in order: ordinary records at the rate asked for, and among them what was planned, when it is due.

use crate::api::Clients;
use crate::attacks::Schedule;
use crate::cloudtrail::catalogue::Catalogue;
use crate::cloudtrail::{self, Details};
use crate::estate::Estate;
use crate::lambda::Functions;
use crate::moment::Moments;
use crate::plan::{Act, Plan, Step, World};
use crate::queue::{Queue, Waiting, What};
use crate::random::Random;
use crate::settings::{AttackPlan, Settings, StreamKind};
use crate::stories::STORIES;
use crate::truth::Truth;

const SECOND: i64 = 1_000_000;
/// Records waiting for their turn beyond which nothing new is planned; a run whose rate is too small for its attacks
/// then has fewer of them.
const WAITING: usize = 20_000;
/// Audit records per second below which stories are told less often than by the clock.
const BUSY: f64 = 8.0;

/// One record as it reaches its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which log.
    pub stream: StreamKind,
    /// When it happened, as the record says, microseconds since the epoch, UTC.
    pub event_time: i64,
    /// When it reaches the log, microseconds since the epoch, UTC. Never before `event_time`, never falling.
    pub emit_time: i64,
    /// Its text: one JSON object on one line.
    pub json: String,
    /// The attack it is part of: [`Truth::id`].
    pub attack: Option<u32>,
}

/// An estate that logs: an iterator over its records.
#[derive(Debug)]
pub struct Simulation {
    settings: Settings,
    world: World,
    clients: Clients,
    random: Random,
    planning: Random,
    streams: Vec<(StreamKind, f64)>,
    written: u64,
    waiting: Queue,
    stories: Vec<i64>,
    tellings: Vec<usize>,
    next_story: i64,
    attacks: Schedule,
    /// How many attacks were started.
    started: u32,
    truth: Vec<Truth>,
    /// Attacks of which no record is written yet.
    pending: Vec<Truth>,
}

impl Simulation {
    /// An estate as the settings ask for.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let mut settings = settings.clone();
        if !(settings.rate.is_finite() && settings.rate > 0.0) {
            settings.rate = 1.0;
        }
        if settings.streams.is_empty() {
            settings.streams = StreamKind::ALL.to_vec();
        }
        let total: f64 = settings.streams.iter().map(|s| s.share()).sum();
        let streams: Vec<_> = settings.streams.iter().map(|s| (*s, s.share() / total)).collect();
        let rate_of = |stream| {
            let share = streams.iter().find(|(s, _)| *s == stream).map_or(0.0, |(_, share)| *share);
            share * settings.rate
        };
        let estate = Estate::new(settings.seed);
        let functions = Functions::new(estate.function_names(), rate_of(StreamKind::Lambda), settings.seed);
        let mut planning = Random::new(settings.seed, 3);
        let stretch = stretch(rate_of(StreamKind::CloudTrail));
        let first_story = |story: &crate::stories::Story| {
            settings.start + (planning.unit() * story.every as f64 * stretch * SECOND as f64) as i64
        };
        let mut stories: Vec<i64> = STORIES.iter().map(first_story).collect();
        if !settings.streams.contains(&StreamKind::CloudTrail) {
            stories.fill(i64::MAX);
        }
        let next_story = stories.iter().copied().min().unwrap_or(i64::MAX);
        let attacks = Schedule::new(&settings, &mut planning);
        Self {
            world: World { estate, catalogue: Catalogue::new(), functions, moments: Moments::new() },
            clients: Clients::new(settings.seed),
            random: Random::new(settings.seed, 2),
            planning,
            streams,
            written: 0,
            waiting: Queue::default(),
            tellings: vec![0; STORIES.len()],
            stories,
            next_story,
            attacks,
            started: 0,
            truth: Vec::new(),
            pending: Vec::new(),
            settings,
        }
    }

    /// The attacks of which a record was written so far, by their ids.
    #[must_use]
    pub fn truth(&self) -> &[Truth] {
        &self.truth
    }

    /// When simulated time ends, microseconds since the epoch; the greatest number if it does not.
    fn end(&self) -> i64 {
        let by_number = self.settings.records.map_or(i64::MAX, |records| self.moment_of(records));
        let by_time = self.settings.duration.map_or(i64::MAX, |duration| self.settings.start.saturating_add(duration));
        by_number.min(by_time)
    }

    /// When the record of that number reaches its log.
    fn moment_of(&self, number: u64) -> i64 {
        self.settings.start.saturating_add((number as f64 * (SECOND as f64 / self.settings.rate)) as i64)
    }

    /// The least time between two steps of a plan, so that a slow run's records do not queue up.
    fn gap(&self) -> i64 {
        (1.5 * SECOND as f64 / self.settings.rate) as i64
    }

    fn tell_stories(&mut self, now: i64) {
        let stretch = stretch(self.settings.rate * self.share(StreamKind::CloudTrail));
        for (number, story) in STORIES.iter().enumerate() {
            if self.stories[number] > now || self.waiting.len() > WAITING {
                continue;
            }
            let gap = self.gap();
            let telling = self.tellings[number] * STORIES.len() + number;
            let mut plan = Plan::new(&mut self.world, &mut self.planning, telling, now, gap);
            (story.tell)(&mut plan);
            let steps = plan.steps;
            self.enqueue(steps, None);
            self.tellings[number] += 1;
            let pause = story.every as f64 * (0.5 + self.planning.unit()) * stretch;
            self.stories[number] = now + (pause * SECOND as f64) as i64;
        }
        self.next_story = self.stories.iter().copied().min().unwrap_or(i64::MAX);
    }

    fn share(&self, stream: StreamKind) -> f64 {
        self.streams.iter().find(|(s, _)| *s == stream).map_or(0.0, |(_, share)| *share)
    }

    fn start_attack(&mut self, now: i64) {
        if self.waiting.len() > WAITING {
            return;
        }
        let Some(kind) = self.attacks.due(&self.settings, now) else { return };
        let (gap, id) = (self.gap(), self.started);
        let mut plan = Plan::new(&mut self.world, &mut self.planning, id as usize, now, gap);
        kind.carry_out(&mut plan);
        let truth = Truth {
            id,
            name: kind.name().into(),
            title: kind.title().into(),
            attack: kind.techniques().iter().map(|id| (*id).into()).collect(),
            detectors: vec![kind.name().into()],
            related: kind.related().iter().map(|name| (*name).into()).collect(),
            stream: kind.stream(),
            principal: plan.principal,
            source_ip: plan.source_ip,
            function_name: plan.function_name,
            first_event_time: i64::MAX,
            last_event_time: i64::MIN,
            records: 0,
            planned: plan.steps.len() as u64,
            event_ids: Vec::new(),
        };
        let (steps, over) = (plan.steps, plan.now);
        let listed = matches!(self.settings.attacks, AttackPlan::List(_));
        if listed || over.saturating_add(4 * self.settings.disorder.typical).saturating_add(SECOND) < self.end() {
            self.pending.push(truth);
            self.started += 1;
            self.enqueue(steps, Some(id));
        } else {
            self.attacks.drop_last();
        }
    }

    fn enqueue(&mut self, steps: Vec<Step>, attack: Option<u32>) {
        for step in steps {
            let delay = self.planning.mostly_small(self.typical_delay(&step.act));
            self.waiting.push(step.event_time + delay, step.event_time, attack, What::Act(step.act));
        }
    }

    fn typical_delay(&self, act: &Act) -> f64 {
        let typical = self.settings.disorder.typical as f64;
        match act {
            Act::Call { .. } => typical,
            Act::Line(..) => quick(typical),
        }
    }

    /// Writes what was waiting.
    fn write_waiting(&mut self, waiting: Waiting, emit_time: i64) -> Record {
        let Waiting { event_time, attack, what, .. } = waiting;
        match what {
            What::Copy(stream, json) => Record { stream, event_time, emit_time, json, attack },
            What::Act(Act::Line(stream, line)) => {
                self.note(attack, event_time, &line.id);
                Record { stream, event_time, emit_time, json: line.json, attack }
            }
            What::Act(Act::Call { event, voice, arguments, problem }) => {
                let event_time = whole_second(event_time);
                let mut json = String::with_capacity(2560);
                let World { estate, catalogue, moments, .. } = &mut self.world;
                let details =
                    Details { voice: &voice, arguments: &arguments, problem: problem.as_ref(), time: event_time };
                let event = &catalogue.events[event];
                let id =
                    cloudtrail::write(&mut json, &estate.place, catalogue, event, &details, &mut self.random, moments);
                self.note(attack, event_time, &json[id]);
                self.finish_audit(json, event_time, emit_time, attack)
            }
        }
    }

    /// Keeps in mind that a record of an attack is written.
    fn note(&mut self, attack: Option<u32>, event_time: i64, id: &str) {
        let Some(attack) = attack else { return };
        if let Some(place) = self.pending.iter().position(|truth| truth.id == attack) {
            let truth = self.pending.swap_remove(place);
            let place = self.truth.partition_point(|earlier| earlier.id < attack);
            self.truth.insert(place, truth);
        }
        let place = self.truth.binary_search_by_key(&attack, |truth| truth.id).expect("a started attack is known");
        let truth = &mut self.truth[place];
        truth.records += 1;
        truth.first_event_time = truth.first_event_time.min(event_time);
        truth.last_event_time = truth.last_event_time.max(event_time);
        truth.event_ids.push(id.into());
    }

    fn finish_audit(&mut self, json: String, event_time: i64, emit_time: i64, attack: Option<u32>) -> Record {
        if self.random.chance(self.settings.disorder.duplicate_share) {
            let due = emit_time + self.random.between(SECOND, 60 * SECOND);
            self.waiting.push(due, event_time, attack, What::Copy(StreamKind::CloudTrail, json.clone()));
        }
        Record { stream: StreamKind::CloudTrail, event_time, emit_time, json, attack }
    }

    fn write_ordinary(&mut self, emit_time: i64) -> Record {
        let stream = self.some_stream();
        let typical = self.settings.disorder.typical as f64;
        let World { estate, functions, moments, .. } = &mut self.world;
        let line = match stream {
            StreamKind::CloudTrail => return self.write_audit(emit_time),
            StreamKind::Lambda => {
                let over = emit_time - self.random.mostly_small(quick(typical));
                functions.next(over, &mut self.random, moments)
            }
            StreamKind::Api => {
                let over = emit_time - self.random.mostly_small(quick(typical));
                self.clients.next(over, &estate.place, &mut self.random, moments)
            }
        };
        Record { stream, event_time: line.event_time, emit_time, json: line.json, attack: None }
    }

    fn write_audit(&mut self, emit_time: i64) -> Record {
        let disorder = self.settings.disorder;
        let mut delay = self.random.mostly_small(disorder.typical as f64);
        if disorder.late_max > 0 && self.random.chance(disorder.late_share) {
            delay += self.random.between(0, disorder.late_max);
        }
        let event_time = whole_second(emit_time - delay);
        let mut json = String::with_capacity(2560);
        let World { estate, catalogue, moments, .. } = &mut self.world;
        cloudtrail::write_ordinary(&mut json, estate, catalogue, event_time, &mut self.random, moments);
        self.finish_audit(json, event_time, emit_time, None)
    }

    fn some_stream(&mut self) -> StreamKind {
        let mut point = self.random.unit();
        for (stream, share) in &self.streams {
            if point < *share {
                return *stream;
            }
            point -= share;
        }
        self.streams[0].0
    }
}

impl Iterator for Simulation {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let now = self.moment_of(self.written);
        if self.settings.records.is_some_and(|records| self.written >= records) || now >= self.end() {
            return None;
        }
        if self.next_story <= now {
            self.tell_stories(now);
        }
        if self.attacks.next.is_some_and(|next| next <= now) {
            self.start_attack(now);
        }
        self.written += 1;
        match self.waiting.pop_due(now) {
            Some(waiting) => Some(self.write_waiting(waiting, now)),
            None => Some(self.write_ordinary(now)),
        }
    }
}

/// How many times rarer stories are at a rate of audit records.
fn stretch(rate: f64) -> f64 {
    if rate > 0.0 { (BUSY / rate).clamp(1.0, 1_000.0) } else { 1.0 }
}

/// The mean delay of the logs that are not the audit log, microseconds; well within their lateness.
fn quick(typical: f64) -> f64 {
    (typical / 4.0).min(2.0 * SECOND as f64)
}

fn whole_second(micros: i64) -> i64 {
    micros.div_euclid(SECOND) * SECOND
}
