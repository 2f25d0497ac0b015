//! The audit log: one record for each call, laid out as AWS `CloudTrail` does.

pub(crate) mod catalogue;

use catalogue::{Catalogue, Event, Service};

use crate::estate::{Class, Estate, Place, Voice};
use crate::moment::Moments;
use crate::random::{Random, mix};
use crate::template::{Scene, push_escaped};

/// How a call ends when it does not succeed.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    /// Absent where only a message is given, as for a failed sign-in; the response then stands.
    pub code: Option<String>,
    pub message: String,
}

/// What a record says beyond the call itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Details<'a> {
    pub voice: &'a Voice,
    pub arguments: &'a [String],
    pub problem: Option<&'a Problem>,
    /// Microseconds.
    pub time: i64,
}

/// One in so many calls of those whose role lacks a right meets that.
const DENIED: usize = 60;
/// One in so many calls ends in some other error.
const FAILED: usize = 45;

const TLS: [(&str, &str); 3] = [
    ("TLSv1.3", "TLS_AES_128_GCM_SHA256"),
    ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256"),
];

/// Appends the record of an ordinary call at `time` (microseconds).
pub(crate) fn write_ordinary(
    out: &mut String,
    estate: &mut Estate,
    catalogue: &Catalogue,
    time: i64,
    random: &mut Random,
    moments: &mut Moments,
) {
    let class = some_class(random);
    let (voice, home, denied_home) = estate.someone(class, time, random, moments);
    let denied = class != Class::Service && denied_home % 3 == 0 && random.below(DENIED) == 0;
    let number =
        if denied { mix(denied_home, random.next() % 2) } else { mix(home, random.below(class.variety()) as u64) };
    let number = if class == Class::Inventory && !denied { random.next() } else { number };
    let event = &catalogue.events[catalogue.choose(class, number)];
    let service = &catalogue.services[event.service];
    let mut details = Details { voice: &voice, arguments: &[], problem: None, time };
    let problem = if denied {
        Some(denial(service, event, &voice, random))
    } else if event.event_type == "AwsApiCall" && random.below(FAILED) == 0 {
        failure(service, &details, &estate.place, random, moments)
    } else {
        None
    };
    details.problem = problem.as_ref();
    write(out, &estate.place, catalogue, event, &details, random, moments);
}

fn some_class(random: &mut Random) -> Class {
    let mut point = random.below(100);
    for class in Class::ALL {
        if point < class.share() {
            return class;
        }
        point -= class.share();
    }
    Class::Function
}

/// The error of one who has no right to a call.
pub(crate) fn denial(service: &Service, event: &Event, voice: &Voice, random: &mut Random) -> Problem {
    let action = format!("{}:{}", service.short, catalogue::without_version(&event.name));
    let mut message = format!("User: {} is not authorized to perform: {action}", voice.arn);
    let code = match service.short.as_str() {
        "ec2" => {
            message = format!("You are not authorized to perform this operation. {message}");
            message.push_str(" because no identity-based policy allows it. Encoded authorization failure message: ");
            let length = random.between(300, 500) as usize;
            random.base64(&mut message, length);
            "Client.UnauthorizedOperation"
        }
        "iam" | "s3" | "sts" | "cloudformation" | "sns" | "rds" | "sqs" | "autoscaling" => "AccessDenied",
        _ => "AccessDeniedException",
    };
    if service.short != "ec2" {
        message.push_str(&format!(" on resource: * because no identity-based policy allows the {action} action"));
    }
    Problem { code: Some(code.into()), message }
}

/// Some other error of a service's calls, if it has any.
fn failure(
    service: &Service,
    details: &Details,
    place: &Place,
    random: &mut Random,
    moments: &mut Moments,
) -> Option<Problem> {
    if service.errors.is_empty() {
        return None;
    }
    let (code, message) = &service.errors[random.below(service.errors.len())];
    let scene = scene(details, place, random.next(), &details.voice.region);
    let mut text = String::new();
    message.fill(&mut text, &scene, random, moments);
    Some(Problem { code: Some(code.clone()), message: text })
}

fn scene<'a>(details: &Details<'a>, place: &'a Place, salt: u64, region: &'a str) -> Scene<'a> {
    Scene {
        things: &place.things,
        account: &details.voice.account,
        region,
        actor: &details.voice.name,
        address: &details.voice.address,
        arguments: details.arguments,
        home: details.voice.home,
        reach: details.voice.reach,
        salt,
        time: details.time,
    }
}

/// Appends one record; where in `out` its event id stands.
pub(crate) fn write(
    out: &mut String,
    place: &Place,
    catalogue: &Catalogue,
    event: &Event,
    details: &Details,
    random: &mut Random,
    moments: &mut Moments,
) -> std::ops::Range<usize> {
    let service = &catalogue.services[event.service];
    let voice = details.voice;
    let region = if service.global { "us-east-1" } else { voice.region.as_str() };
    let scene = scene(details, place, random.next(), region);
    let failed = details.problem.is_some_and(|problem| problem.code.is_some());
    out.push_str(r#"{"eventVersion":""#);
    out.push_str(service.version);
    out.push_str(r#"","userIdentity":"#);
    out.push_str(&voice.identity);
    out.push_str(r#","eventTime":""#);
    moments.seconds(out, details.time);
    for (name, value) in [
        (r#"","eventSource":""#, service.source.as_str()),
        (r#"","eventName":""#, event.name.as_str()),
        (r#"","awsRegion":""#, region),
        (r#"","sourceIPAddress":""#, voice.address.as_str()),
        (r#"","userAgent":""#, voice.agent.as_str()),
    ] {
        out.push_str(name);
        out.push_str(value);
    }
    out.push('"');
    if let Some(problem) = details.problem {
        write_problem(out, problem);
    }
    out.push_str(r#","requestParameters":"#);
    match &event.request {
        Some(request) => request.fill(out, &scene, random, moments),
        None => out.push_str("null"),
    }
    out.push_str(r#","responseElements":"#);
    match &event.response {
        Some(response) if !failed => response.fill(out, &scene, random, moments),
        _ => out.push_str("null"),
    }
    if let Some(additional) = event.additional.as_ref().or(service.additional.as_ref()) {
        out.push_str(r#","additionalEventData":"#);
        additional.fill(out, &scene, random, moments);
    }
    out.push_str(r#","requestID":""#);
    service.request_id.fill(out, &scene, random, moments);
    out.push_str(r#"","eventID":""#);
    let id = out.len()..out.len() + 36;
    random.uuid(out);
    write_rest(out, service, event, &scene, voice, random, moments);
    id
}

fn write_problem(out: &mut String, problem: &Problem) {
    if let Some(code) = &problem.code {
        out.push_str(r#","errorCode":""#);
        out.push_str(code);
        out.push('"');
    }
    out.push_str(r#","errorMessage":""#);
    push_escaped(out, &problem.message);
    out.push('"');
}

fn write_rest(
    out: &mut String,
    service: &Service,
    event: &Event,
    scene: &Scene,
    voice: &Voice,
    random: &mut Random,
    moments: &mut Moments,
) {
    out.push_str(if event.read_only { r#"","readOnly":true"# } else { r#"","readOnly":false"# });
    if let Some(resources) = &event.resources {
        out.push_str(r#","resources":"#);
        resources.fill(out, scene, random, moments);
    }
    out.push_str(r#","eventType":""#);
    out.push_str(event.event_type);
    out.push_str(if event.data { r#"","managementEvent":false,"# } else { r#"","managementEvent":true,"# });
    out.push_str(r#""recipientAccountId":""#);
    out.push_str(scene.account);
    if !voice.tls {
        out.push_str(r#"","sharedEventID":""#);
        random.uuid(out);
    }
    if let Some(endpoint) = &voice.endpoint {
        for part in [r#"","vpcEndpointId":""#, endpoint, r#"","vpcEndpointAccountId":""#, scene.account] {
            out.push_str(part);
        }
    }
    out.push_str(if event.data { r#"","eventCategory":"Data""# } else { r#"","eventCategory":"Management""# });
    if voice.tls {
        let (version, cipher) = TLS[(voice.home % 5).saturating_sub(2) as usize];
        for part in [r#","tlsDetails":{"tlsVersion":""#, version, r#"","cipherSuite":""#, cipher] {
            out.push_str(part);
        }
        out.push_str(r#"","clientProvidedHostHeader":""#);
        service.host.fill(out, scene, random, moments);
        out.push_str("\"}");
    }
    if voice.console {
        out.push_str(r#","sessionCredentialFromConsole":"true""#);
    }
    out.push('}');
}
