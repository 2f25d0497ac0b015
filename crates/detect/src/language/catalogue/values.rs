//! Columns with few values, or with some that are often written wrongly.

use watchfire_record::Format::{self, Api, CloudTrail, Lambda};

/// What is known of one column's values.
pub(super) struct Each {
    pub format: Format,
    pub column: &'static str,
    /// What such a value is.
    pub word: &'static str,
    /// Whether these are all that the format has; else only what is nearly one of them is told of.
    pub all: bool,
    /// Whether programs write them in whatever case.
    pub any_case: bool,
    pub values: &'static [&'static str],
}

/// A column that has a value only where another has one of these.
pub(super) struct OnlyWith {
    pub format: Format,
    pub column: &'static str,
    pub other: &'static str,
    pub values: &'static [&'static str],
}

const fn all(format: Format, column: &'static str, word: &'static str, values: &'static [&'static str]) -> Each {
    Each { format, column, word, all: true, any_case: false, values }
}

const fn some(format: Format, column: &'static str, word: &'static str, values: &'static [&'static str]) -> Each {
    Each { format, column, word, all: false, any_case: false, values }
}

/// By format and column.
pub(super) const EACH: &[Each] = &[
    all(CloudTrail, "event_type", "event type", EVENT_TYPES),
    all(CloudTrail, "event_category", "event category", &["Management", "Data", "Insight", "NetworkActivity"]),
    all(CloudTrail, "user_type", "user type", USER_TYPES),
    all(CloudTrail, "response ->> 'ConsoleLogin'", "outcome of a sign-in", &["Success", "Failure"]),
    all(CloudTrail, "additional ->> 'MFAUsed'", "value of MFAUsed", &["Yes", "No"]),
    some(CloudTrail, "error_code", "error code", ERROR_CODES),
    all(Lambda, "type", "type of a log record", LOG_TYPES),
    Each { any_case: true, ..some(Lambda, "level", "log level", LEVELS) },
    some(Lambda, "status", "status", &["success", "error", "timeout", "failure"]),
    all(Api, "method", "HTTP method", METHODS),
];

/// Only where it is certain.
pub(super) const ONLY_WITH: &[OnlyWith] = &[
    only(
        CloudTrail,
        "session_name",
        "user_type",
        &[
            "AssumedRole",
            "Role",
            "WebIdentityUser",
            "SAMLUser",
            "Directory",
            "AWSAccount",
            "IdentityCenterUser",
            "Unknown",
        ],
    ),
    only(Lambda, "billed_ms", "type", &["platform.report"]),
    only(Lambda, "memory_mb", "type", &["platform.report"]),
    only(Lambda, "max_memory_mb", "type", &["platform.report"]),
    only(Lambda, "init_ms", "type", &["platform.report"]),
    only(
        Lambda,
        "duration_ms",
        "type",
        &["platform.report", "platform.runtimeDone", "platform.initReport", "platform.restoreReport"],
    ),
];

const fn only(format: Format, column: &'static str, other: &'static str, values: &'static [&'static str]) -> OnlyWith {
    OnlyWith { format, column, other, values }
}

const EVENT_TYPES: &[&str] = &[
    "AwsApiCall",
    "AwsServiceEvent",
    "AwsConsoleAction",
    "AwsConsoleSignIn",
    "AwsCloudTrailInsight",
    "AwsVpceEvent",
    "AwsVpceEvents",
];

const USER_TYPES: &[&str] = &[
    "Root",
    "IAMUser",
    "AssumedRole",
    "Role",
    "FederatedUser",
    "WebIdentityUser",
    "SAMLUser",
    "Directory",
    "AWSAccount",
    "AWSService",
    "IdentityCenterUser",
    "Unknown",
];

const LOG_TYPES: &[&str] = &[
    "function",
    "extension",
    "platform.extension",
    "platform.fault",
    "platform.initReport",
    "platform.initRuntimeDone",
    "platform.initStart",
    "platform.logsDropped",
    "platform.logsSubscription",
    "platform.report",
    "platform.restoreReport",
    "platform.restoreRuntimeDone",
    "platform.restoreStart",
    "platform.runtimeDone",
    "platform.start",
    "platform.end",
    "platform.telemetrySubscription",
];

const LEVELS: &[&str] = &[
    "TRACE",
    "DEBUG",
    "INFO",
    "INFORMATION",
    "NOTICE",
    "WARN",
    "WARNING",
    "ERROR",
    "SEVERE",
    "CRITICAL",
    "ALERT",
    "EMERGENCY",
    "FATAL",
    "PANIC",
    "NOTSET",
];

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

const ERROR_CODES: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "Client.UnauthorizedOperation",
    "UnauthorizedOperation",
    "Client.DryRunOperation",
    "Client.InvalidParameterValue",
    "Client.InvalidInstanceID.NotFound",
    "Client.InstanceLimitExceeded",
    "Client.VcpuLimitExceeded",
    "Client.RequestLimitExceeded",
    "Server.InternalError",
    "Server.InsufficientInstanceCapacity",
    "AuthFailure",
    "AuthorizationError",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "BucketNotEmpty",
    "ConflictException",
    "DeleteConflict",
    "DecryptionFailure",
    "DisabledException",
    "EntityAlreadyExists",
    "ExpiredToken",
    "ExpiredTokenException",
    "Forbidden",
    "IncorrectInstanceState",
    "InternalFailure",
    "InternalServerError",
    "InvalidClientTokenId",
    "InvalidInstanceId",
    "InvalidParameterException",
    "InvalidParameterValue",
    "InvalidRequestException",
    "InvalidSignatureException",
    "InvalidToken",
    "InvalidUserType",
    "KMSInvalidStateException",
    "LimitExceeded",
    "LimitExceededException",
    "MalformedPolicyDocument",
    "MalformedPolicyDocumentException",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "NoSuchEntityException",
    "NoSuchKey",
    "NoSuchPublicAccessBlockConfiguration",
    "NotAuthorized",
    "NotAuthorizedException",
    "NotFoundException",
    "OptInRequired",
    "ParameterNotFound",
    "PasswordPolicyViolation",
    "RegionDisabledException",
    "RequestLimitExceeded",
    "ResourceConflictException",
    "ResourceExistsException",
    "ResourceNotFoundException",
    "ServiceUnavailable",
    "SignatureDoesNotMatch",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TrailNotFoundException",
    "UnauthorizedException",
    "UnrecognizedClientException",
    "ValidationError",
    "ValidationException",
];
