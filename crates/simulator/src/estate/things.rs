//! The things of the estate: buckets, tables, instances, secrets, … each kind with its names.

use crate::moment::Moments;
use crate::random::Random;
use crate::template::{Scene, Template};

/// A kind of thing.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name in templates.
    pub name: &'static str,
    count: usize,
    names: &'static str,
}

const fn kind(name: &'static str, count: usize, names: &'static str) -> Kind {
    Kind { name, count, names }
}

/// Words that names are made of.
pub(crate) const WORDS: &[&str] = &[
    "orders",
    "payments",
    "catalog",
    "search",
    "invoices",
    "users",
    "sessions",
    "media",
    "reports",
    "events",
    "billing",
    "shipping",
    "stock",
    "pricing",
    "reviews",
    "notify",
    "ledger",
    "audit",
    "ingest",
    "export",
    "images",
    "quotes",
    "claims",
    "policies",
    "devices",
    "telemetry",
    "routes",
    "tickets",
    "refunds",
    "coupons",
    "loyalty",
    "profile",
    "documents",
    "archive",
    "metrics",
    "fraud",
    "risk",
    "partners",
    "webhooks",
    "mailer",
    "scheduler",
    "thumbnails",
    "geo",
    "feeds",
    "labels",
    "carts",
    "checkout",
    "returns",
    "vouchers",
    "forecast",
];
/// Where a thing is in use.
pub(crate) const STAGES: &[&str] = &["prod", "prod", "prod", "stage", "dev"];

/// All kinds. A later kind's names do not depend on an earlier one's.
pub(crate) const KINDS: &[Kind] = &[
    kind("bucket", 400, "<word>-<word>-<stage>-<hex 6>"),
    kind("key", 3000, "<word>/<pick 2024|2025|2026>/<int 10 12>/<int 10 28>/<uuid>.<pick json|parquet|pdf|csv|jpg>"),
    kind("table", 300, "<word>-<word>-<stage>"),
    kind("queue", 260, "<word>-<stage>-<pick jobs|events|retry|dlq>"),
    kind("topic", 160, "<word>-<stage>-<pick changes|alerts|fanout>"),
    kind("secret", 320, "<stage>/<word>/<word>-<pick database|api|token|signing>-<upper 6>"),
    kind("parameter", 500, "/<stage>/<word>/<word>/<pick url|limit|flag|endpoint|timeout>"),
    kind("kmskey", 90, "<uuid>"),
    kind("function", 600, "<word>-<stage>-<pick create|get|list|sync|process|handler|worker>-<word>"),
    kind("role", 400, "<word>-<stage>-<word>-role-<upper 8>"),
    kind("policy", 120, "<word>-<stage>-<pick read|write|deploy>-policy"),
    kind(
        "person",
        90,
        "<pick ana|ben|chloe|dara|elif|femi|gita|hugo|ines|jonas|kemi|lars|mina|nils|olga|pavel|rosa|sven|tara|yara>.<pick adler|berg|costa|duval|eriksen|fischer|garcia|haas|ivanova|jansen|keller|lindt|moreau|novak|okafor|petrov>",
    ),
    kind("instance", 900, "i-0<hex 16>"),
    kind("volume", 1200, "vol-0<hex 16>"),
    kind("snapshot", 1500, "snap-0<hex 16>"),
    kind("image", 60, "ami-0<hex 16>"),
    kind("securitygroup", 260, "sg-0<hex 16>"),
    kind("subnet", 96, "subnet-0<hex 16>"),
    kind("vpc", 24, "vpc-0<hex 16>"),
    kind("interface", 900, "eni-0<hex 16>"),
    kind("flowlog", 24, "fl-0<hex 16>"),
    kind("routetable", 80, "rtb-0<hex 16>"),
    kind("address", 40, "eipalloc-0<hex 16>"),
    kind("template", 70, "lt-0<hex 16>"),
    kind("loggroup", 600, "/aws/lambda/<word>-<stage>-<pick create|get|list|sync>-<word>"),
    kind("logstream", 900, "2026/11/<int 10 24>/[$LATEST]<hex 32>"),
    kind("cluster", 40, "<word>-<stage>"),
    kind("service", 160, "<word>-<stage>-svc"),
    kind("task", 800, "<hex 32>"),
    kind("repository", 140, "<word>/<word>"),
    kind("stack", 220, "<word>-<stage>-<pick api|data|network|functions>"),
    kind("machine", 120, "<word>-<stage>-<pick flow|saga|import>"),
    kind("rule", 200, "<word>-<stage>-<pick hourly|nightly|on-change>"),
    kind("bus", 30, "<word>-<stage>"),
    kind("stream", 80, "<word>-<stage>-stream"),
    kind("api", 90, "<hex 10>"),
    kind("database", 110, "<word>-<stage>-<pick aurora|postgres|mysql>"),
    kind("zone", 40, "Z0<upper 18>"),
    kind("distribution", 50, "E<upper 13>"),
    kind("certificate", 80, "<uuid>"),
    kind("trail", 6, "<word>-trail"),
    kind("detector", 10, "<hex 32>"),
    kind("project", 140, "<word>-<stage>-build"),
    kind("pipeline", 120, "<word>-<stage>-pipeline"),
    kind("autoscalinggroup", 90, "<word>-<stage>-asg"),
    kind("loadbalancer", 80, "<word>-<stage>-alb/<hex 16>"),
    kind("targetgroup", 140, "<word>-<stage>-tg/<hex 16>"),
    kind("alarm", 260, "<word>-<stage>-<pick latency|errors|throttles|depth>"),
    kind("vault", 12, "<word>-backup"),
    kind("crawler", 50, "<word>-crawler"),
    kind("workgroup", 20, "<word>"),
    kind("pool", 20, "eu-west-1_<upper 9>"),
    kind("model", 12, "<pick anthropic|amazon|meta|mistral>.<word>-v<int 1 3>"),
    kind("domain", 30, "<word>-<stage>"),
    kind("filesystem", 30, "fs-0<hex 16>"),
];

/// The names of all things, by kind.
#[derive(Debug)]
pub(crate) struct Things(Vec<Vec<String>>);

impl Things {
    pub(crate) fn new(random: &mut Random) -> Self {
        let nothing = Self(Vec::new());
        let scene = Scene {
            things: &nothing,
            account: "",
            region: "",
            actor: "",
            address: "",
            arguments: &[],
            home: 0,
            reach: 1,
            salt: 0,
            time: 0,
        };
        let mut moments = Moments::new();
        let mut names = |kind: &Kind| {
            let template = Template::new(kind.names);
            let mut name = || {
                let mut name = String::new();
                template.fill(&mut name, &scene, random, &mut moments);
                name
            };
            (0..kind.count).map(|_| name()).collect()
        };
        Self(KINDS.iter().map(&mut names).collect())
    }

    /// The names of a kind, by its place in [`KINDS`].
    pub(crate) fn of(&self, kind: usize) -> &[String] {
        &self.0[kind]
    }

    /// The names of a kind, by its name.
    pub(crate) fn named(&self, kind: &str) -> &[String] {
        let place =
            KINDS.iter().position(|k| k.name == kind).unwrap_or_else(|| panic!("no kind of thing is called {kind}"));
        self.of(place)
    }
}
