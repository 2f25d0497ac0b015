//! What intruders do: each kind of attack is several steps whose names, addresses and numbers the seed decides.

mod access;
mod credentials;
mod schedule;
mod tampering;
mod workload;

use std::fmt;
use std::str::FromStr;

pub(crate) use schedule::Schedule;

use crate::plan::Plan;
use crate::settings::StreamKind;

/// What is known of a kind of attack.
struct Kind {
    name: &'static str,
    title: &'static str,
    stream: StreamKind,
    /// ATT&CK technique ids.
    techniques: &'static [&'static str],
    /// Shipped detectors that may fire as well.
    related: &'static [&'static str],
    carry_out: fn(&mut Plan),
}

const CLOUDTRAIL: StreamKind = StreamKind::CloudTrail;

const KINDS: &[Kind] = &[
    Kind {
        name: "console-sign-in-guessed",
        title: "Passwords are tried at the sign-in page until one fits",
        stream: CLOUDTRAIL,
        techniques: &["T1110.001"],
        related: &["console-sign-in-without-mfa"],
        carry_out: access::sign_in_guessed,
    },
    Kind {
        name: "console-sign-in-without-mfa",
        title: "A user signs in from outside with a password alone",
        stream: CLOUDTRAIL,
        techniques: &["T1078.004"],
        related: &[],
        carry_out: access::sign_in_without_mfa,
    },
    Kind {
        name: "root-user-used",
        title: "The root user signs in and works",
        stream: CLOUDTRAIL,
        techniques: &["T1078.004"],
        related: &[],
        carry_out: access::root_used,
    },
    Kind {
        name: "region-first-used",
        title: "A stolen key works in a region that its owner never used",
        stream: CLOUDTRAIL,
        techniques: &["T1535"],
        related: &[],
        carry_out: access::new_region,
    },
    Kind {
        name: "federation-token-issued",
        title: "A stolen key is turned into a session of its own",
        stream: CLOUDTRAIL,
        techniques: &["T1098.001", "T1550.001"],
        related: &[],
        carry_out: access::federation_token,
    },
    Kind {
        name: "denied-calls-sweep",
        title: "A stolen key is tried on everything to see what it may do",
        stream: CLOUDTRAIL,
        techniques: &["T1526", "T1580"],
        related: &[],
        carry_out: access::sweep,
    },
    Kind {
        name: "secrets-read-in-bulk",
        title: "A function's stolen credentials read one secret after the other",
        stream: CLOUDTRAIL,
        techniques: &["T1555.006"],
        related: &[],
        carry_out: credentials::secrets,
    },
    Kind {
        name: "windows-passwords-requested",
        title: "The administrator passwords of many instances are asked for",
        stream: CLOUDTRAIL,
        techniques: &["T1552.005"],
        related: &[],
        carry_out: credentials::windows_passwords,
    },
    Kind {
        name: "credentials-created-for-another-user",
        title: "A user or key is made to come back with",
        stream: CLOUDTRAIL,
        techniques: &["T1098.001", "T1136.003"],
        related: &[],
        carry_out: credentials::for_another,
    },
    Kind {
        name: "administrator-policy-attached",
        title: "All rights are given to a user or role",
        stream: CLOUDTRAIL,
        techniques: &["T1098.003"],
        related: &[],
        carry_out: credentials::administrator,
    },
    Kind {
        name: "role-trusts-outside",
        title: "A role is opened to an account outside",
        stream: CLOUDTRAIL,
        techniques: &["T1098"],
        related: &["administrator-policy-attached"],
        carry_out: credentials::role_trust,
    },
    Kind {
        name: "audit-logging-disabled",
        title: "What would tell of the intruder is switched off",
        stream: CLOUDTRAIL,
        techniques: &["T1562.008"],
        related: &[],
        carry_out: tampering::logging,
    },
    Kind {
        name: "function-code-changed-by-hand",
        title: "A function's code is overwritten by somebody, not by the pipeline",
        stream: CLOUDTRAIL,
        techniques: &["T1574", "T1648"],
        related: &[],
        carry_out: tampering::function_code,
    },
    Kind {
        name: "function-opened-to-outside",
        title: "A function is opened to everybody or to an account outside",
        stream: CLOUDTRAIL,
        techniques: &["T1098"],
        related: &[],
        carry_out: tampering::function_opened,
    },
    Kind {
        name: "data-shared-outside",
        title: "A snapshot, image, database or bucket is shared with the outside",
        stream: CLOUDTRAIL,
        techniques: &["T1537"],
        related: &[],
        carry_out: tampering::data_shared,
    },
    Kind {
        name: "network-opened-to-world",
        title: "A port for administration is opened to the world",
        stream: CLOUDTRAIL,
        techniques: &["T1562.007"],
        related: &[],
        carry_out: tampering::network,
    },
    Kind {
        name: "remote-shell-on-many-instances",
        title: "A stolen key opens shells on one instance after the other",
        stream: CLOUDTRAIL,
        techniques: &["T1021.007", "T1021.004"],
        related: &[],
        carry_out: tampering::shells,
    },
    Kind {
        name: "user-data-changed",
        title: "An instance is stopped, its start script changed, and started",
        stream: CLOUDTRAIL,
        techniques: &["T1059"],
        related: &[],
        carry_out: tampering::user_data,
    },
    Kind {
        name: "unusual-instance-launched",
        title: "Large instances are started to compute for somebody else",
        stream: CLOUDTRAIL,
        techniques: &["T1578.002", "T1496"],
        related: &["region-first-used"],
        carry_out: tampering::instances,
    },
    Kind {
        name: "secret-in-log-message",
        title: "A function writes keys and passwords into its log",
        stream: StreamKind::Lambda,
        techniques: &["T1552.001"],
        related: &[],
        carry_out: workload::secret_logged,
    },
    Kind {
        name: "function-errors-burst",
        title: "A function's invocations all run until they are cut off: somebody else computes in it",
        stream: StreamKind::Lambda,
        techniques: &["T1496", "T1499"],
        related: &[],
        carry_out: workload::function_burst,
    },
    Kind {
        name: "api-authorisation-failures",
        title: "One address asks for one object after the other and is refused",
        stream: StreamKind::Api,
        techniques: &["T1595.003", "T1110"],
        related: &[],
        carry_out: workload::api_refusals,
    },
    Kind {
        name: "api-injection-attempt",
        title: "Requests carry code and path traversal",
        stream: StreamKind::Api,
        techniques: &["T1190"],
        related: &[],
        carry_out: workload::api_injection,
    },
];

/// A kind of attack. Its name is also that of the shipped detector that should find it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttackKind(usize);

impl AttackKind {
    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..KINDS.len()).map(Self)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS[self.0].name
    }

    /// What happens, in a line.
    #[must_use]
    pub fn title(self) -> &'static str {
        KINDS[self.0].title
    }

    /// The stream that shows it.
    #[must_use]
    pub fn stream(self) -> StreamKind {
        KINDS[self.0].stream
    }

    /// ATT&CK technique ids.
    #[must_use]
    pub fn techniques(self) -> &'static [&'static str] {
        KINDS[self.0].techniques
    }

    /// Detectors that may fire as well, beyond the one of its name.
    #[must_use]
    pub fn related(self) -> &'static [&'static str] {
        KINDS[self.0].related
    }

    pub(crate) fn carry_out(self, plan: &mut Plan) {
        (KINDS[self.0].carry_out)(plan);
    }
}

impl fmt::Display for AttackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for AttackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AttackKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::all().find(|kind| kind.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::all().map(Self::name).collect();
            format!("`{text}` is no attack: write one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        let names: HashSet<&str> = AttackKind::all().map(AttackKind::name).collect();
        assert_eq!(names.len(), AttackKind::all().count());
        assert!(names.len() >= 16);
        for kind in AttackKind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let refused = "phishing".parse::<AttackKind>().expect_err("no such attack");
        assert!(refused.contains("root-user-used"), "{refused}");
    }
}
