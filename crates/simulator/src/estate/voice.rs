//! Who speaks in an audit record, and from where: `userIdentity` and what goes with it.

use crate::moment::Moments;
use crate::random::Random;

/// One session of a role, a user with a key, a service, or the root user.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    /// `userIdentity` as JSON.
    pub identity: String,
    /// What the decoder's `principal` says: role or user ARN, or a service's name.
    pub principal: String,
    /// The ARN that denials name.
    pub arn: String,
    /// The user's or session's name.
    pub name: String,
    pub account: String,
    pub region: String,
    /// `sourceIPAddress`: an address or a service's name.
    pub address: String,
    pub agent: String,
    /// Whether a person's browser holds the credentials.
    pub console: bool,
    /// Whether the call came over TLS from outside the platform.
    pub tls: bool,
    /// The private way into the platform that it takes, if it takes one.
    pub endpoint: Option<String>,
    /// Decides which things it deals with; see `template::Scene`.
    pub home: u64,
    pub reach: usize,
}

/// A role, and how it is worn.
#[derive(Debug, Clone)]
pub(crate) struct RoleSession<'a> {
    pub account: &'a str,
    /// With its path, as `aws-service-role/config.amazonaws.com/Name`.
    pub role: &'a str,
    pub role_id: &'a str,
    pub session: &'a str,
    /// Microseconds.
    pub created: i64,
    pub mfa: bool,
    pub invoked_by: Option<&'a str>,
    /// The function that the credentials were made for.
    pub function_arn: Option<&'a str>,
    /// For roles taken by a web identity: provider and subject.
    pub federated: Option<(&'a str, &'a str)>,
}

/// The `userIdentity` of a role's session, its principal and its ARN.
pub(crate) fn role_session(session: &RoleSession, random: &mut Random, moments: &mut Moments) -> [String; 3] {
    let RoleSession { account, role, role_id, session: name, created, mfa, invoked_by, function_arn, federated } =
        session;
    let short = role.rsplit('/').next().unwrap_or(role);
    let arn = format!("arn:aws:sts::{account}:assumed-role/{short}/{name}");
    let issuer = format!("arn:aws:iam::{account}:role/{role}");
    let mut json = format!(
        r#"{{"type":"AssumedRole","principalId":"{role_id}:{name}","arn":"{arn}","accountId":"{account}","accessKeyId":"ASIA"#
    );
    random.upper(&mut json, 16);
    json.push_str(&format!(
        r#"","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{role_id}","arn":"{issuer}","accountId":"{account}","userName":"{short}"}},"#
    ));
    if let Some((provider, subject)) = federated {
        json.push_str(&format!(
            r#""webIdFederationData":{{"federatedProvider":"arn:aws:iam::{account}:oidc-provider/{provider}","attributes":{{"{provider}:sub":"{subject}"}}}},"#
        ));
    } else if invoked_by.is_none() && name.len() % 2 == 0 {
        json.push_str(r#""webIdFederationData":{},"#);
    }
    json.push_str(r#""attributes":{"creationDate":""#);
    moments.seconds(&mut json, *created);
    json.push_str(&format!(r#"","mfaAuthenticated":"{mfa}"}}"#));
    if short.ends_with("-node") {
        json.push_str(r#","ec2RoleDelivery":"2.0""#);
    }
    json.push('}');
    if let Some(function) = function_arn {
        json.push_str(&format!(
            r#","inScopeOf":{{"issuerType":"AWS::Lambda::Function","credentialsIssuedTo":"{function}"}}"#
        ));
    }
    if let Some(service) = invoked_by {
        json.push_str(&format!(r#","invokedBy":"{service}""#));
    }
    json.push('}');
    [json, issuer, arn]
}

/// The `userIdentity` of a user with a long-lived key, and its ARN.
pub(crate) fn user(account: &str, name: &str, user_id: &str, key: &str) -> [String; 2] {
    let arn = format!("arn:aws:iam::{account}:user/{name}");
    let json = format!(
        r#"{{"type":"IAMUser","principalId":"{user_id}","arn":"{arn}","accountId":"{account}","accessKeyId":"{key}","userName":"{name}"}}"#
    );
    [json, arn]
}

/// The `userIdentity` of a user signed in to the console, and its ARN. `created` is microseconds.
pub(crate) fn console_user(
    account: &str,
    name: &str,
    user_id: &str,
    created: i64,
    mfa: bool,
    random: &mut Random,
    moments: &mut Moments,
) -> [String; 2] {
    let mut key = String::from("ASIA");
    random.upper(&mut key, 16);
    let [mut json, arn] = user(account, name, user_id, &key);
    json.pop();
    json.push_str(r#","sessionContext":{"attributes":{"creationDate":""#);
    moments.seconds(&mut json, created);
    json.push_str(&format!(r#"","mfaAuthenticated":"{mfa}"}}}}}}"#));
    [json, arn]
}

/// The `userIdentity` of a user at the sign-in page, before there are credentials.
pub(crate) fn at_sign_in(account: &str, name: &str, user_id: Option<&str>) -> String {
    match user_id {
        Some(id) => format!(
            r#"{{"type":"IAMUser","principalId":"{id}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","userName":"{name}"}}"#
        ),
        None => format!(r#"{{"type":"IAMUser","accountId":"{account}","accessKeyId":"","userName":"{name}"}}"#),
    }
}

/// The `userIdentity` of the root user, and its ARN. `created` is microseconds.
pub(crate) fn root(account: &str, created: i64, random: &mut Random, moments: &mut Moments) -> [String; 2] {
    let arn = format!("arn:aws:iam::{account}:root");
    let mut json = format!(
        r#"{{"type":"Root","principalId":"{account}","arn":"{arn}","accountId":"{account}","accessKeyId":"ASIA"#
    );
    random.upper(&mut json, 16);
    json.push_str(r#"","sessionContext":{"attributes":{"creationDate":""#);
    moments.seconds(&mut json, created);
    json.push_str(r#"","mfaAuthenticated":"true"}}}"#);
    [json, arn]
}
