//! Records as CloudTrail writes them, and detectors for them.

use watchfire_record::time;

/// Fires on each record that stops a trail.
pub const STOPPED: &str = "/*\ntitle = \"Logging stopped\"\nseverity = \"high\"\nabout = \"Somebody stops the trail.\"\n*/\n\
    SELECT event_id, event_name, event_time FROM cloudtrail WHERE event_name = 'StopLogging'\n";

/// Counts what came from each address in each two seconds.
pub const COUNTED: &str = "/*\ntitle = \"Calls counted\"\nseverity = \"low\"\nabout = \"Calls of one address.\"\n*/\n\
    SELECT tumble(event_time, INTERVAL '2 seconds') AS window_start, source_ip, count(*) AS calls FROM cloudtrail\n\
    GROUP BY tumble(event_time, INTERVAL '2 seconds'), source_ip HAVING count(*) >= 1\n";

/// A trail is stopped at `event_time`, microseconds since the epoch.
pub fn stop_logging(id: &str, event_time: i64) -> String {
    from_address(id, event_time, "203.0.113.50")
}

/// The same, from this address.
pub fn from_address(id: &str, event_time: i64, address: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","userName":"bob"}},"eventTime":"{}","eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging","awsRegion":"eu-west-1","sourceIPAddress":"{address}","requestParameters":{{"name":"trail"}},"eventID":"{id}"}}"#,
        time::format(event_time)
    )
}
