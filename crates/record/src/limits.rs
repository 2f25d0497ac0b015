//! Limits that every part shares, each with a name, a unit, and what happens at it.

/// Bytes of one record, and of one Kafka payload. Larger: rejected, its beginning kept.
pub const RECORD_BYTES: usize = 16 << 20;
/// Levels of nested arrays and objects in a record. Deeper: rejected.
pub const NESTING_DEPTH: usize = 128;
/// Envelopes within envelopes. Deeper: rejected.
pub const ENVELOPE_DEPTH: usize = 4;
/// Bytes that one payload may unfold to (base64 and gzip inside). More: rejected.
pub const UNFOLDED_BYTES: usize = 64 << 20;
/// Bytes of a rejected record that are kept. The rest is cut, and the reject says how long it was.
pub const REJECT_BYTES: usize = 64 << 10;
/// Bytes in a batch after which it is closed.
pub const BATCH_BYTES: usize = 8 << 20;
/// Payloads in a batch after which it is closed.
pub const BATCH_PAYLOADS: usize = 8192;
/// Texts in one column's interner of one worker. More: the column is delivered as plain strings.
pub const INTERNED_VALUES: usize = 65_536;
/// Bytes in one column's interner of one worker. More: the column is delivered as plain strings.
pub const INTERNED_BYTES: usize = 8 << 20;
/// Bytes of a detector's file. Larger: refused.
pub const RULE_BYTES: usize = 256 << 10;
/// First and last records that a finding names as evidence, each.
pub const EVIDENCE_RECORDS: usize = 5;
/// Bytes of a look-up table's file. Larger: refused.
pub const TABLE_BYTES: usize = 256 << 20;
/// Rows of a look-up table. More: refused.
pub const TABLE_ROWS: usize = 2_000_000;
/// Bytes of one row of a look-up table. Longer: refused.
pub const TABLE_ROW_BYTES: usize = 64 << 10;
/// Columns of a look-up table. More: refused.
pub const TABLE_COLUMNS: usize = 64;
/// Keys that one detector keeps state for in one shard. More: those of least count that never fired go first, and what they would still find says `complete: false`.
pub const KEYS: usize = 1_000_000;
/// Distinct values counted for one key; `count(DISTINCT …)` saturates here.
pub const DISTINCT_VALUES: usize = 100_000;
/// Rows kept for one key within its range. More: the oldest go, and the finding says `complete: false`.
pub const BUFFERED_ROWS: usize = 1_000_000;
/// Rows kept for one key on one side of a sequence. More: the oldest go, and the finding says `complete: false`.
pub const JOIN_ROWS: usize = 10_000;
/// Pairs that one record makes with earlier ones of its key. More: the oldest of these are left out, and the finding says `complete: false`.
pub const JOIN_MATCHES: usize = 1_000;
/// Bytes of pairs that one sequence finds in one batch in one shard. More: they are left out, and the key's findings say `complete: false`.
pub const JOIN_FOUND_BYTES: usize = 64 << 20;
/// Bytes that one sequence keeps in one shard. More: the keys that take the most go first, and what is found then says `complete: false`.
pub const JOIN_BYTES: usize = 256 << 20;
/// Sources that one stream declares for `activity`. More: refused; partitions beyond it have no rows.
pub const ACTIVITY_SOURCES: usize = 10_000;
/// Minutes in a row, without any record of a stream, that `activity` has rows for. More: they have none until a record comes, and it is counted.
pub const ACTIVITY_QUIET_MINUTES: usize = 1_440;
/// Counts, one a minute and source with records, that wait for a stream's watermark. More: they are left out, and their minutes are not `observed`.
pub const ACTIVITY_COUNTS: usize = 1_000_000;
