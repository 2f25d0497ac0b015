//! The calls that the estate makes: read once from the tables under `events/`.
//!
//! A table's line that starts with `@` names a service; the calls after it are that service's:
//!
//! ```text
//! @source ;; host ;; request id ;; additional event data
//! !error code ;; error message          an error that its calls may end in
//! weight flags classes Name,Name ;; request ;; response ;; resources ;; additional event data
//! ```
//! Flags: `r` reads, `w` writes, `d` data event, `v` made by the service itself, `g` console sign-in. Classes: the
//! letters of [`Class::letter`]; `-` for none: only stories and attacks make it.

use std::collections::HashMap;

use crate::estate::Class;
use crate::random::{mix, scale};
use crate::template::Template;

const TABLES: [&str; 5] = [
    include_str!("events/compute.txt"),
    include_str!("events/storage.txt"),
    include_str!("events/identity.txt"),
    include_str!("events/operations.txt"),
    include_str!("events/application.txt"),
];

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    /// `ec2.amazonaws.com`
    pub source: String,
    /// `ec2`
    pub short: String,
    pub host: Template,
    pub request_id: Template,
    pub additional: Option<Template>,
    /// Error codes and messages, escaped already.
    pub errors: Vec<(String, Template)>,
    /// Its calls are made in one region, wherever the caller is.
    pub global: bool,
    pub version: &'static str,
}

/// A call.
#[derive(Debug)]
pub(crate) struct Event {
    pub service: usize,
    pub name: String,
    pub read_only: bool,
    pub data: bool,
    pub event_type: &'static str,
    pub request: Option<Template>,
    pub response: Option<Template>,
    pub resources: Option<Template>,
    pub additional: Option<Template>,
}

/// All services and calls, and how often each class makes which.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub services: Vec<Service>,
    pub events: Vec<Event>,
    by_name: HashMap<String, usize>,
    /// For each class: calls with the sum of weights up to them.
    weights: Vec<Vec<(u64, usize)>>,
}

impl Catalogue {
    pub(crate) fn new() -> Self {
        let empty = vec![Vec::new(); Class::ALL.len()];
        let mut catalogue = Self { services: Vec::new(), events: Vec::new(), by_name: HashMap::new(), weights: empty };
        for line in TABLES.iter().flat_map(|table| table.lines()).filter(|line| !line.trim().is_empty()) {
            match line.as_bytes()[0] {
                b'#' => {}
                b'@' => catalogue.add_service(&line[1..]),
                b'!' => catalogue.add_error(&line[1..]),
                _ => catalogue.add_events(line),
            }
        }
        catalogue
    }

    /// A call by service and name, as in `iam:CreateUser`.
    ///
    /// # Panics
    /// If there is none: stories and attacks name calls of the tables.
    pub(crate) fn find(&self, name: &str) -> usize {
        *self.by_name.get(name).unwrap_or_else(|| panic!("the tables have no call {name}"))
    }

    /// The call that a class makes for a number: as often as the weights say, and always the same one.
    pub(crate) fn choose(&self, class: Class, number: u64) -> usize {
        let weights = &self.weights[class as usize];
        let total = weights.last().map_or(0, |(sum, _)| *sum);
        let point = scale(mix(number, 0x5eed), total as usize) as u64;
        let found = weights.partition_point(|(sum, _)| *sum <= point);
        weights[found].1
    }

    fn add_service(&mut self, line: &str) {
        let fields: Vec<&str> = line.split(";;").map(str::trim).collect();
        let source = fields[0].to_string();
        let short = source.split('.').next().unwrap_or_default().to_string();
        let field = |index: usize| fields.get(index).copied().filter(|text| !text.is_empty());
        let host = field(1).map_or_else(|| format!("{short}.<region>.amazonaws.com"), Into::into);
        self.services.push(Service {
            global: !host.contains("<region>"),
            host: Template::new(&host),
            request_id: Template::new(field(2).unwrap_or("<uuid>")),
            additional: field(3).map(Template::new),
            errors: Vec::new(),
            version: ["1.08", "1.09", "1.10", "1.11"][short.len() % 4],
            source,
            short,
        });
    }

    fn add_error(&mut self, line: &str) {
        let (code, message) = line.split_once(";;").expect("an error has a code and a message");
        let service = self.services.last_mut().expect("a service comes before its errors");
        service.errors.push((code.trim().into(), Template::new(message.trim())));
    }

    fn add_events(&mut self, line: &str) {
        let fields: Vec<&str> = line.split(";;").map(str::trim).collect();
        let head: Vec<&str> = fields[0].split_whitespace().collect();
        let [weight, flags, classes, names] = head[..] else { panic!("a call has four words: {line}") };
        let weight: u64 = weight.parse().expect("a weight is a number");
        let template = |index: usize| {
            let field = fields.get(index).copied().filter(|text| !text.is_empty() && *text != "null");
            field.map(Template::new)
        };
        for name in names.split(',') {
            let event = Event {
                service: self.services.len() - 1,
                name: name.into(),
                read_only: flags.contains('r'),
                data: flags.contains('d'),
                event_type: match flags {
                    f if f.contains('v') => "AwsServiceEvent",
                    f if f.contains('g') => "AwsConsoleSignIn",
                    _ => "AwsApiCall",
                },
                request: template(1),
                response: template(2),
                resources: template(3),
                additional: template(4),
            };
            self.add_event(event, weight, classes);
        }
    }

    fn add_event(&mut self, event: Event, weight: u64, classes: &str) {
        let number = self.events.len();
        let service = self.services.last().expect("a service comes before its calls");
        let earlier = self.by_name.insert(format!("{}:{}", service.short, event.name), number);
        assert!(earlier.is_none(), "the tables have {}:{} twice", service.short, event.name);
        for class in Class::ALL.iter().filter(|class| classes.contains(class.letter())) {
            let weights = &mut self.weights[*class as usize];
            let sum = weights.last().map_or(0, |(sum, _)| *sum);
            weights.push((sum + weight, number));
        }
        self.events.push(event);
    }
}

/// A call's name without the version that some services put after it.
pub(crate) fn without_version(name: &str) -> &str {
    name.find("20").map_or(name, |place| &name[..place])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_tables_are_wide() {
        let catalogue = Catalogue::new();
        assert!(catalogue.services.len() >= 45, "{}", catalogue.services.len());
        let names: HashSet<&str> = catalogue.events.iter().map(|e| e.name.as_str()).collect();
        assert!(names.len() >= 400, "{}", names.len());
        for class in Class::ALL {
            assert!(catalogue.weights[class as usize].len() >= 8, "{class:?}");
        }
    }

    #[test]
    fn calls_are_chosen_by_weight() {
        let catalogue = Catalogue::new();
        let chosen: Vec<usize> = (0..10_000).map(|n| catalogue.choose(Class::Inventory, n)).collect();
        assert_eq!(chosen[7], catalogue.choose(Class::Inventory, 7));
        assert!(chosen.iter().all(|event| catalogue.events[*event].read_only), "inventory tools only read");
        assert!(chosen.iter().collect::<HashSet<_>>().len() > 200);
    }
}
