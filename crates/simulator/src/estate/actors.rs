//! Those who call the platform's interfaces all day, each with its habits.

use std::sync::Arc;

use super::agents;
use super::voice::{self, RoleSession, Voice};
use crate::estate::Place;
use crate::moment::Moments;
use crate::random::{Random, mix};

/// What an actor is. The letters are those of the event catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A function under its role.
    Function,
    /// An instance under its role.
    Instance,
    /// A service under a role of the account.
    ServiceRole,
    /// A service as itself.
    Service,
    /// A tool that lists and describes everything.
    Inventory,
    /// A pipeline that builds and deploys.
    Pipeline,
    /// A person, signed in by the organisation's identity provider.
    Person,
    /// A user with a long-lived key.
    User,
}

impl Class {
    pub(crate) const ALL: [Self; 8] = [
        Self::Function,
        Self::Instance,
        Self::ServiceRole,
        Self::Service,
        Self::Inventory,
        Self::Pipeline,
        Self::Person,
        Self::User,
    ];

    /// Its letter in the event catalogue.
    pub(crate) fn letter(self) -> char {
        ['f', 'n', 's', 'a', 'i', 'c', 'h', 'u'][self as usize]
    }

    /// Its share of the audit records, in percent.
    pub(crate) fn share(self) -> usize {
        [38, 9, 15, 11, 13, 4, 6, 4][self as usize]
    }

    /// How many of its kind there are.
    fn count(self) -> usize {
        [2400, 320, 260, 180, 18, 60, 320, 140][self as usize]
    }

    /// How many different calls one of its kind makes.
    pub(crate) fn variety(self) -> usize {
        [6, 7, 9, 4, 100_000, 60, 80, 8][self as usize]
    }

    /// How many things of a kind it deals with.
    fn reach(self) -> usize {
        [2, 2, 60, 40, 100_000, 40, 30, 3][self as usize]
    }
}

/// One who calls.
#[derive(Debug)]
pub(crate) struct Actor {
    pub class: Class,
    account: usize,
    /// Role, user or service.
    name: String,
    id: String,
    pub session: String,
    /// A user's long-lived key.
    key: String,
    agent: &'static str,
    pub home: u64,
    /// A hash of account and name.
    named: u64,
    voice: Option<Arc<Voice>>,
    expires: i64,
}

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

const SERVICE_ROLES: &[(&str, &str)] = &[
    ("config.amazonaws.com", "AWSServiceRoleForConfig"),
    ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
    ("ecs.amazonaws.com", "AWSServiceRoleForECS"),
    ("access-analyzer.amazonaws.com", "AWSServiceRoleForAccessAnalyzer"),
    ("guardduty.amazonaws.com", "AWSServiceRoleForAmazonGuardDuty"),
    ("securityhub.amazonaws.com", "AWSServiceRoleForSecurityHub"),
    ("trustedadvisor.amazonaws.com", "AWSServiceRoleForTrustedAdvisor"),
    ("rds.amazonaws.com", "AWSServiceRoleForRDS"),
    ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"),
    ("inspector2.amazonaws.com", "AWSServiceRoleForAmazonInspector2"),
    ("backup.amazonaws.com", "AWSServiceRoleForBackup"),
    ("ssm.amazonaws.com", "AWSServiceRoleForAmazonSSM"),
    ("resource-explorer-2.amazonaws.com", "AWSServiceRoleForResourceExplorer"),
    ("compute-optimizer.amazonaws.com", "AWSServiceRoleForComputeOptimizer"),
    ("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS"),
    ("apigateway.amazonaws.com", "AWSServiceRoleForAPIGateway"),
];

const SERVICES: &[&str] = &[
    "lambda.amazonaws.com",
    "dynamodb.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "delivery.logs.amazonaws.com",
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "events.amazonaws.com",
    "states.amazonaws.com",
    "sqs.amazonaws.com",
    "firehose.amazonaws.com",
    "s3.amazonaws.com",
    "secretsmanager.amazonaws.com",
    "scheduler.amazonaws.com",
    "cloudformation.amazonaws.com",
    "config.amazonaws.com",
    "codebuild.amazonaws.com",
    "rds.amazonaws.com",
    "logs.amazonaws.com",
];

const PERMISSION_SETS: &[&str] = &["ReadOnly", "Developer", "Operator", "Billing", "Data", "Support"];

/// All actors of one class.
pub(crate) fn of_class(class: Class, place: &Place, random: &mut Random) -> Vec<Actor> {
    (0..class.count()).map(|number| make(class, number, place, random)).collect()
}

fn make(class: Class, number: usize, place: &Place, random: &mut Random) -> Actor {
    let account = number % place.accounts.len();
    let word = random.pick(crate::estate::things::WORDS);
    let stage = random.pick(crate::estate::things::STAGES);
    let mut suffix = String::new();
    random.upper(&mut suffix, 8);
    let (name, session, agent) = match class {
        Class::Function => {
            let verb = random.pick(&["create", "get", "list", "sync", "process", "notify", "worker", "stream"]);
            let function = format!("{word}-{stage}-{verb}-{}", &suffix[..4].to_lowercase());
            (format!("{function}-role-{suffix}"), function, random.pick(agents::FUNCTION))
        }
        Class::Instance => {
            (format!("{word}-{stage}-node"), random_instance(place, random), random.pick(agents::INSTANCE))
        }
        Class::ServiceRole => {
            let (service, role) = SERVICE_ROLES[(number / place.accounts.len()) % SERVICE_ROLES.len()];
            (format!("aws-service-role/{service}/{role}"), service.to_string(), "")
        }
        Class::Service => {
            let service = SERVICES[number % SERVICES.len()];
            (service.to_string(), service.to_string(), "")
        }
        Class::Inventory => {
            let tool = number / place.accounts.len() % agents::INVENTORY.len();
            let names = ["asset-inventory", "fleet-monitor", "posture-scanner"];
            (format!("{}-role", names[tool]), names[tool].to_string(), agents::INVENTORY[tool])
        }
        Class::Pipeline => (format!("ci-{word}-deploy"), "GitHubActions".to_string(), random.pick(agents::PIPELINE)),
        Class::Person => {
            let set = PERMISSION_SETS[number / place.accounts.len() % PERMISSION_SETS.len()];
            let id = format!("{:016x}", mix(account as u64, set.len() as u64));
            let person = &place.people[number % place.people.len()];
            (
                format!("aws-reserved/sso.amazonaws.com/{}/AWSReservedSSO_{set}_{id}", place.regions[0]),
                format!("{person}@example.com"),
                random.pick(agents::PERSON),
            )
        }
        Class::User => {
            (format!("svc-{word}-{}", suffix[..4].to_lowercase()), String::new(), random.pick(agents::SCRIPT))
        }
    };
    let (mut id, mut key) = (String::from(if class == Class::User { "AIDA" } else { "AROA" }), String::from("AKIA"));
    let named = name.bytes().fold(account as u64, |hash, byte| mix(hash, u64::from(byte)));
    Random::new(named, 0).upper(&mut id, 17);
    random.upper(&mut key, 16);
    let home = random.next();
    Actor { class, account, name, id, session, key, agent, home, named, voice: None, expires: i64::MIN }
}

fn random_instance(place: &Place, random: &mut Random) -> String {
    let instances = place.things.named("instance");
    instances[random.below(instances.len())].clone()
}

impl Actor {
    /// How it speaks at `time`; sessions end, and the next one starts.
    pub(crate) fn voice(&mut self, time: i64, place: &Place, random: &mut Random, moments: &mut Moments) -> Arc<Voice> {
        match &self.voice {
            Some(voice) if time < self.expires => Arc::clone(voice),
            _ => {
                let voice = Arc::new(self.speak(time, place, random, moments));
                let lasts = if self.class == Class::Inventory { (SECOND, 10 * SECOND) } else { (HOUR / 3, HOUR) };
                self.expires = time + random.between(lasts.0, lasts.1);
                self.voice = Some(Arc::clone(&voice));
                voice
            }
        }
    }

    /// Decides which two calls are denied to all who share this one's role.
    pub(crate) fn denied_home(&self) -> u64 {
        mix(self.named, 0xdead)
    }

    fn speak(&self, time: i64, place: &Place, random: &mut Random, moments: &mut Moments) -> Voice {
        let account = place.accounts[self.account].as_str();
        let service = matches!(self.class, Class::Service | Class::ServiceRole);
        let region = self.region(place, random);
        let function_arn = format!("arn:aws:lambda:{region}:{account}:function:{}", self.session);
        let [identity, principal, arn] = match self.class {
            Class::User => {
                let [identity, arn] = voice::user(account, &self.name, &self.id, &self.key);
                [identity, arn.clone(), arn]
            }
            Class::Service => {
                let json = format!(r#"{{"type":"AWSService","invokedBy":"{}"}}"#, self.name);
                [json, self.name.clone(), self.name.clone()]
            }
            _ => {
                let provider = "token.actions.githubusercontent.com";
                let subject = format!("repo:example/{}:ref:refs/heads/main", self.name);
                let session = RoleSession {
                    account,
                    role: &self.name,
                    role_id: &self.id,
                    session: &self.session,
                    created: time - random.between(15 * 60, 50 * 60) * SECOND,
                    mfa: false,
                    invoked_by: service.then_some(self.session.as_str()),
                    function_arn: (self.class == Class::Function).then_some(function_arn.as_str()),
                    federated: (self.class == Class::Pipeline).then_some((provider, subject.as_str())),
                };
                voice::role_session(&session, random, moments)
            }
        };
        Voice {
            identity,
            principal,
            arn,
            name: if self.session.is_empty() { self.name.clone() } else { self.session.clone() },
            account: account.to_string(),
            region: region.to_string(),
            address: self.address(place, random),
            agent: if service { self.session.clone() } else { self.agent.to_string() },
            console: self.class == Class::Person && !self.agent.starts_with("aws-cli"),
            tls: !service,
            endpoint: self
                .in_network()
                .then(|| format!("vpce-0{:016x}", mix(self.account as u64, region.len() as u64))),
            // All instances of a role deal with the same few things.
            home: if self.class == Class::Instance { self.named } else { self.home },
            reach: self.class.reach(),
        }
    }

    /// Functions and instances that live in a private network.
    fn in_network(&self) -> bool {
        self.class == Class::Instance || self.class == Class::Function && self.home.is_multiple_of(3)
    }

    fn region<'a>(&self, place: &'a Place, random: &mut Random) -> &'a str {
        let machine = matches!(self.class, Class::Function | Class::Instance | Class::ServiceRole | Class::Service);
        match self.class {
            Class::Inventory => place.regions[random.below(place.regions.len())],
            _ if machine && self.home.is_multiple_of(4) => {
                place.regions[(self.home >> 8) as usize % place.regions.len()]
            }
            _ => place.home_region(self.account),
        }
    }

    fn address(&self, place: &Place, random: &mut Random) -> String {
        match self.class {
            Class::Service | Class::ServiceRole => self.session.clone(),
            Class::Function if !self.in_network() => platform_address(random.next()),
            Class::Function | Class::Instance => {
                format!(
                    "10.{}.{}.{}",
                    self.account * 8 + self.home as usize % 8,
                    (self.home >> 8) % 256,
                    (self.home >> 16) % 250 + 4
                )
            }
            Class::Inventory => format!("192.0.2.{}", 200 + self.home % 8),
            Class::Pipeline => {
                format!("20.{}.{}.{}", random.between(1, 250), random.between(0, 255), random.between(1, 254))
            }
            Class::Person => place.whereabouts(&self.session, random),
            Class::User => format!("192.0.2.{}", 64 + self.home % 64),
        }
    }
}

/// An address such as functions and instances have.
fn platform_address(bits: u64) -> String {
    let first = [3, 18, 34, 44, 52, 54][bits as usize % 6];
    let part = |shift: u32| (bits >> shift) % 254 + 1;
    format!("{first}.{}.{}.{}", part(16), part(32), part(48))
}
