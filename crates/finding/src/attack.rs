//! MITRE ATT&CK: what the technique ids in detectors' headers are called.

/// The version of ATT&CK that names and tactics are of.
pub const VERSION: &str = "18.0";

/// A tactic: why it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tactic {
    /// Its id, `TA0006`.
    pub id: &'static str,
    /// Its name, `Credential Access`.
    pub name: &'static str,
}

const INITIAL_ACCESS: Tactic = Tactic { id: "TA0001", name: "Initial Access" };
const EXECUTION: Tactic = Tactic { id: "TA0002", name: "Execution" };
const PERSISTENCE: Tactic = Tactic { id: "TA0003", name: "Persistence" };
const PRIVILEGE_ESCALATION: Tactic = Tactic { id: "TA0004", name: "Privilege Escalation" };
const DEFENSE_EVASION: Tactic = Tactic { id: "TA0005", name: "Defense Evasion" };
const CREDENTIAL_ACCESS: Tactic = Tactic { id: "TA0006", name: "Credential Access" };
const DISCOVERY: Tactic = Tactic { id: "TA0007", name: "Discovery" };
const LATERAL_MOVEMENT: Tactic = Tactic { id: "TA0008", name: "Lateral Movement" };
const COLLECTION: Tactic = Tactic { id: "TA0009", name: "Collection" };
const EXFILTRATION: Tactic = Tactic { id: "TA0010", name: "Exfiltration" };
const IMPACT: Tactic = Tactic { id: "TA0040", name: "Impact" };

/// A technique or sub-technique: how it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Technique {
    /// Its id, `T1110.001`.
    pub id: &'static str,
    /// Its own name, `Password Guessing`.
    pub name: &'static str,
    /// Its tactic; of several, the one that a cloud's log most often shows it for.
    pub tactic: Tactic,
}

/// The technique of an id; `None` if we know no name for it.
#[must_use]
pub fn technique(id: &str) -> Option<Technique> {
    TECHNIQUES
        .binary_search_by_key(&id, |(known, ..)| known)
        .ok()
        .map(|at| TECHNIQUES[at])
        .map(|(id, name, tactic)| Technique { id, name, tactic })
}

/// The id of the technique that a sub-technique belongs to; `None` for a technique.
#[must_use]
pub fn parent(id: &str) -> Option<&str> {
    id.split_once('.').map(|(parent, _)| parent)
}

/// In order of id.
const TECHNIQUES: [(&str, &str, Tactic); 54] = [
    ("T1021", "Remote Services", LATERAL_MOVEMENT),
    ("T1021.004", "SSH", LATERAL_MOVEMENT),
    ("T1021.007", "Cloud Services", LATERAL_MOVEMENT),
    ("T1021.008", "Direct Cloud VM Connections", LATERAL_MOVEMENT),
    ("T1059", "Command and Scripting Interpreter", EXECUTION),
    ("T1059.009", "Cloud API", EXECUTION),
    ("T1078", "Valid Accounts", INITIAL_ACCESS),
    ("T1078.004", "Cloud Accounts", INITIAL_ACCESS),
    ("T1083", "File and Directory Discovery", DISCOVERY),
    ("T1087", "Account Discovery", DISCOVERY),
    ("T1087.004", "Cloud Account", DISCOVERY),
    ("T1098", "Account Manipulation", PERSISTENCE),
    ("T1098.001", "Additional Cloud Credentials", PERSISTENCE),
    ("T1098.003", "Additional Cloud Roles", PRIVILEGE_ESCALATION),
    ("T1110", "Brute Force", CREDENTIAL_ACCESS),
    ("T1110.001", "Password Guessing", CREDENTIAL_ACCESS),
    ("T1110.003", "Password Spraying", CREDENTIAL_ACCESS),
    ("T1110.004", "Credential Stuffing", CREDENTIAL_ACCESS),
    ("T1136", "Create Account", PERSISTENCE),
    ("T1136.003", "Cloud Account", PERSISTENCE),
    ("T1190", "Exploit Public-Facing Application", INITIAL_ACCESS),
    ("T1484", "Domain or Tenant Policy Modification", PRIVILEGE_ESCALATION),
    ("T1484.002", "Trust Modification", PRIVILEGE_ESCALATION),
    ("T1485", "Data Destruction", IMPACT),
    ("T1486", "Data Encrypted for Impact", IMPACT),
    ("T1496", "Resource Hijacking", IMPACT),
    ("T1526", "Cloud Service Discovery", DISCOVERY),
    ("T1528", "Steal Application Access Token", CREDENTIAL_ACCESS),
    ("T1530", "Data from Cloud Storage", COLLECTION),
    ("T1535", "Unused/Unsupported Cloud Regions", DEFENSE_EVASION),
    ("T1537", "Transfer Data to Cloud Account", EXFILTRATION),
    ("T1546", "Event Triggered Execution", PERSISTENCE),
    ("T1550", "Use Alternate Authentication Material", LATERAL_MOVEMENT),
    ("T1550.001", "Application Access Token", LATERAL_MOVEMENT),
    ("T1552", "Unsecured Credentials", CREDENTIAL_ACCESS),
    ("T1552.001", "Credentials In Files", CREDENTIAL_ACCESS),
    ("T1552.005", "Cloud Instance Metadata API", CREDENTIAL_ACCESS),
    ("T1555", "Credentials from Password Stores", CREDENTIAL_ACCESS),
    ("T1555.006", "Cloud Secrets Management Stores", CREDENTIAL_ACCESS),
    ("T1556", "Modify Authentication Process", CREDENTIAL_ACCESS),
    ("T1556.006", "Multi-Factor Authentication", CREDENTIAL_ACCESS),
    ("T1562", "Impair Defenses", DEFENSE_EVASION),
    ("T1562.001", "Disable or Modify Tools", DEFENSE_EVASION),
    ("T1562.007", "Disable or Modify Cloud Firewall", DEFENSE_EVASION),
    ("T1562.008", "Disable or Modify Cloud Logs", DEFENSE_EVASION),
    ("T1574", "Hijack Execution Flow", PERSISTENCE),
    ("T1578", "Modify Cloud Compute Infrastructure", DEFENSE_EVASION),
    ("T1578.002", "Create Cloud Instance", DEFENSE_EVASION),
    ("T1580", "Cloud Infrastructure Discovery", DISCOVERY),
    ("T1595", "Active Scanning", Tactic { id: "TA0043", name: "Reconnaissance" }),
    ("T1619", "Cloud Storage Object Discovery", DISCOVERY),
    ("T1648", "Serverless Execution", EXECUTION),
    ("T1651", "Cloud Administration Command", EXECUTION),
    ("T1666", "Modify Cloud Resource Hierarchy", DEFENSE_EVASION),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_and_each_sub_technique_has_its_technique() {
        assert!(TECHNIQUES.is_sorted_by(|a, b| a.0 < b.0));
        for (id, ..) in TECHNIQUES {
            assert_eq!(technique(id).map(|t| t.id), Some(id));
            assert!(parent(id).is_none_or(|parent| technique(parent).is_some()), "{id}");
        }
        assert_eq!(technique("T9999"), None);
        assert_eq!(
            technique("T1110.001").map(|t| (t.name, t.tactic.name)),
            Some(("Password Guessing", "Credential Access"))
        );
    }
}
