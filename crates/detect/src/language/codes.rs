//! The stable codes of diagnostics: one table, each with its meaning in a line.

macro_rules! codes {
    ($($name:ident = $code:literal: $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: &str = $code;)*

        /// Every code with its meaning in a line.
        pub const ALL: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

codes! {
    FILE = "W001": "the file cannot be read as a detector: missing, empty, too large, or no UTF-8";
    NO_HEADER = "W002": "the header is missing or not the first thing in the file";
    HEADER_ENDS_EARLY = "W003": "`*/` inside the header ends it";
    HEADER_SYNTAX = "W004": "the header is not valid TOML";
    UNKNOWN_KEY = "W005": "the header has a key that does not exist";
    MISSING_KEY = "W006": "the header lacks a key that every detector needs";
    WRONG_VALUE = "W007": "a header key has a value of the wrong type or form";
    NAME = "W008": "the detector's name is not allowed, or taken";
    SYNTAX = "W010": "the SQL cannot be read";
    NOT_ONE_SELECT = "W011": "the file is not one SELECT statement";
    UNBOUNDED = "W012": "an aggregate without a window needs memory without end";
    ORDER_OR_LIMIT = "W013": "a stream has no last row: ORDER BY, LIMIT, OFFSET and FETCH cannot be answered";
    SELECT_DISTINCT = "W014": "SELECT DISTINCT over a stream needs memory without end";
    SESSION = "W015": "session windows are not supported";
    FOREIGN_FORM = "W016": "the syntax of another streaming engine";
    HOP = "W017": "a hopping window is not the one of its GROUP BY";
    JOIN = "W018": "the join, sub-query or set operation is not one of those that are run";
    ROW_FRAME = "W019": "functions and frames over single rows are not run in this version";
    FRAME = "W020": "the frame is not bounded by intervals before the row";
    OVER_ORDER = "W021": "an OVER clause is not ordered by event_time";
    VOLATILE = "W022": "the result depends on the clock or on chance";
    INEXACT = "W023": "the aggregate is not exact";
    AGGREGATE = "W024": "the aggregate is not run in this version";
    OPERATOR = "W025": "the operator is not supported";
    UNKNOWN_FUNCTION = "W026": "the function does not exist, or is not allowed in detectors";
    UNKNOWN_STREAM = "W027": "the table is no declared stream";
    UNKNOWN_COLUMN = "W028": "the column does not exist";
    CLAUSE = "W029": "the clause or expression is not supported";
    TOO_DEEP = "W030": "the SQL is nested too deeply, or has too long a chain of operators";
    NAMED_WINDOW = "W031": "a named window is unknown, defined twice, or changed where it is used";
    FIRST_SEEN = "W032": "first_seen is not written in its one form";
    ARGUMENT = "W033": "an argument could make the function fail, or is wrong";
    MISPLACED = "W034": "an aggregate or window function stands where it cannot be evaluated";
    CAST = "W035": "the cast's type is not supported";
    LEARN = "W036": "`learn` has no meaning for this detector";
    PLANNER = "W037": "the planner does not accept the query";
    FORM = "W038": "the query is no form that is run";
    JOIN_BOUND = "W039": "a sequence is not of two sides, joined by an equality and within a bound of time";
    NULL_KEY = "W040": "a key can be NULL, and NULL is then one group";
    VERSIONED_NAME = "W041": "some event names carry an API version, so that a comparison misses them";
    KEY_UNUSED = "W042": "the header's `key` has no effect";
    NO_TESTS = "W043": "test files are missing";
    JOINS_ITSELF = "W044": "a record can be both sides of a sequence";
    LOOK_UP = "W045": "a table is not looked up by its whole key, or stands where records are read";
    UNKNOWN_VALUE = "W046": "a column is compared with a value that is not known for it";
    NEVER = "W047": "a condition can never hold";
    COMPOSED = "W048": "an operator over another one's rows is not one that is run";
    STREAM_NOT_READ = "W050": "the run that is to take the detector does not read its stream";
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<_> = super::ALL.iter().map(|(code, _)| *code).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    }
}
