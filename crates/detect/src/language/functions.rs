//! Which functions a detector may call, and why not the others.

use datafusion_sql::sqlparser::ast::ObjectName;

use super::windows::folded;

/// What an argument must be, so that no record can make the function fail or take up memory without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// Any expression.
    Any,
    /// A literal.
    Literal,
    /// A literal whole number that is not negative.
    Count,
    /// A literal whole number but 0.
    Ordinal,
    /// A literal regular expression.
    Pattern,
}

use Argument::{Any, Count, Literal, Ordinal, Pattern};

/// A function that is evaluated for one row.
pub(super) struct Scalar {
    pub name: &'static str,
    /// What its arguments must be; those beyond are as the last.
    pub arguments: &'static [Argument],
}

const fn scalar(name: &'static str, arguments: &'static [Argument]) -> Scalar {
    Scalar { name, arguments }
}

/// Deterministic functions that cannot fail on any row.
pub(super) const SCALARS: [Scalar; 61] = [
    scalar("array_has", &[Any]),
    scalar("array_has_all", &[Any]),
    scalar("array_has_any", &[Any]),
    scalar("array_length", &[Any, Literal]),
    scalar("array_to_string", &[Any, Literal]),
    scalar("ascii", &[Any]),
    scalar("bit_length", &[Any]),
    scalar("btrim", &[Any]),
    scalar("cardinality", &[Any]),
    scalar("char_length", &[Any]),
    scalar("character_length", &[Any]),
    scalar("chr", &[Count]),
    scalar("coalesce", &[Any]),
    scalar("concat", &[Any]),
    scalar("concat_ws", &[Literal, Any]),
    scalar("contains", &[Any]),
    scalar("date_bin", &[Literal, Any, Literal]),
    scalar("date_part", &[Literal, Any]),
    scalar("date_trunc", &[Literal, Any]),
    scalar("encode", &[Any, Literal]),
    scalar("ends_with", &[Any]),
    scalar("find_in_set", &[Any]),
    scalar("first_seen", &[Literal]),
    scalar("greatest", &[Any]),
    scalar("hop", &[Any, Literal]),
    scalar("ifnull", &[Any]),
    scalar("initcap", &[Any]),
    scalar("least", &[Any]),
    scalar("left", &[Any, Literal]),
    scalar("length", &[Any]),
    scalar("lower", &[Any]),
    scalar("ltrim", &[Any]),
    scalar("nullif", &[Any]),
    scalar("nvl", &[Any]),
    scalar("nvl2", &[Any]),
    scalar("octet_length", &[Any]),
    scalar("position", &[Any]),
    scalar("regexp_count", &[Any, Pattern, Ordinal, Literal]),
    scalar("regexp_like", &[Any, Pattern, Literal]),
    scalar("regexp_match", &[Any, Pattern, Literal]),
    scalar("regexp_replace", &[Any, Pattern, Literal, Literal]),
    scalar("replace", &[Any, Any, Literal]),
    scalar("reverse", &[Any]),
    scalar("right", &[Any, Literal]),
    scalar("rtrim", &[Any]),
    scalar("split_part", &[Any, Literal, Ordinal]),
    scalar("starts_with", &[Any]),
    scalar("string_to_array", &[Any, Literal]),
    scalar("strpos", &[Any]),
    scalar("substr", &[Any, Literal, Count]),
    scalar("substr_index", &[Any, Literal, Literal]),
    scalar("substring", &[Any, Literal, Count]),
    scalar("substring_index", &[Any, Literal, Literal]),
    scalar("datepart", &[Literal, Any]),
    scalar("datetrunc", &[Literal, Any]),
    scalar("to_hex", &[Any]),
    scalar("translate", &[Any, Literal, Literal]),
    scalar("trim", &[Any]),
    scalar("tumble", &[Any, Literal]),
    scalar("upper", &[Any]),
    scalar("window_end", &[Any]),
];

/// Aggregates: exact, whatever the order of rows.
pub(super) const AGGREGATES: [&str; 7] = ["avg", "bool_and", "bool_or", "count", "max", "min", "sum"];

/// Whether a function of this name is an aggregate that is run.
pub(super) fn is_aggregate(name: &ObjectName) -> bool {
    let [part] = name.0.as_slice() else { return false };
    part.as_ident().is_some_and(|name| AGGREGATES.contains(&folded(name).as_str()))
}

/// The function of this name, in lower case.
pub(super) fn find(name: &str) -> Option<&'static Scalar> {
    SCALARS.iter().find(|scalar| scalar.name == name)
}

/// Why a function is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It reads the clock or chance, or the session.
    Volatile,
    /// It looks at single rows before or after.
    Row,
    /// It is inexact.
    Inexact,
    /// It is an aggregate for a later version.
    Later,
    /// It groups by pauses.
    Session,
    /// It fails on some values.
    Fails,
}

/// Functions that read the clock, chance or the session.
const VOLATILE: [&str; 28] = [
    "now",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "localtimestamp",
    "today",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timeofday",
    "getdate",
    "sysdate",
    "random",
    "rand",
    "uuid",
    "gen_random_uuid",
    "newid",
    "version",
    "current_user",
    "session_user",
    "user",
    "pg_sleep",
    "proctime",
    "current_watermark",
    "to_local_time",
    "input_file_name",
    "file_row_index",
];

/// Functions that some record can make fail, or grow without end.
const FAILING: [&str; 23] = [
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    "to_date",
    "to_time",
    "to_char",
    "to_unixtime",
    "from_unixtime",
    "make_date",
    "make_time",
    "decode",
    "lpad",
    "rpad",
    "repeat",
    "levenshtein",
    "overlay",
    "date_format",
    "regexp_instr",
    "unnest",
    "generate_series",
    "range",
];

/// Why the function of this name, in lower case, is refused; `None` if its name says nothing.
pub(super) fn refused(name: &str) -> Option<Refused> {
    Some(match name {
        _ if VOLATILE.contains(&name) => Refused::Volatile,
        "lag" | "lead" | "first_value" | "last_value" | "nth_value" | "row_number" | "rank" | "dense_rank"
        | "percent_rank" | "cume_dist" | "ntile" => Refused::Row,
        "median" | "percentile" | "percentile_cont" | "percentile_disc" | "quantile" | "mode" => Refused::Inexact,
        _ if name.starts_with("approx") => Refused::Inexact,
        "stddev" | "stddev_pop" | "stddev_samp" | "var" | "variance" | "var_pop" | "var_samp" | "var_population"
        | "var_sample" | "array_agg" | "string_agg" | "listagg" | "group_concat" | "bit_and" | "bit_or" | "bit_xor"
        | "any_value" | "corr" | "covar" | "covar_pop" | "covar_samp" | "grouping" | "count_if" | "countif" => {
            Refused::Later
        }
        _ if name.starts_with("regr_") => Refused::Later,
        "session" | "session_window" | "session_start" | "session_end" => Refused::Session,
        _ if FAILING.contains(&name) => Refused::Fails,
        _ => return None,
    })
}

/// What to write in place of a function that fails on some values.
pub(super) fn in_place_of_failing(name: &str) -> &'static str {
    match name {
        "to_timestamp" | "to_timestamp_seconds" | "from_unixtime" => {
            "cast instead: a number of seconds as (n * 1000000)::timestamp, a text as x::timestamp; what does not fit is NULL"
        }
        "to_timestamp_millis" => "cast instead, (n * 1000)::timestamp: what does not fit is NULL",
        "to_timestamp_micros" => "cast instead, n::timestamp: what does not fit is NULL",
        "to_timestamp_nanos" => "cast instead, (n / 1000)::timestamp: what does not fit is NULL",
        "to_unixtime" => "cast instead, x::bigint / 1000000: what does not fit is NULL",
        _ if name.starts_with("to_") || name.starts_with("make_") => {
            "cast instead, x::timestamp or x::bigint: what does not fit is NULL; or compare texts"
        }
        _ => "compare with texts or numbers that the record has; docs/src/functions.md lists what can be called",
    }
}

/// Names that other databases have, and what they are here.
pub(super) fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "len" | "size" => "length",
        "ucase" => "upper",
        "lcase" => "lower",
        "instr" | "charindex" | "locate" => "strpos",
        "startswith" => "starts_with",
        "endswith" => "ends_with",
        "isnull" => "coalesce",
        "regexp" | "rlike" | "regexp_contains" | "regexp_matches" => "regexp_like",
        "json_extract"
        | "json_value"
        | "json_extract_scalar"
        | "json_extract_string"
        | "get_json_object"
        | "json_extract_path_text"
        | "jsonb_extract_path_text"
        | "json_query"
        | "jsonb_path_query" => "->>",
        "time_bucket" | "tumble_start" | "tumbling_window" | "window" | "time_slice" => "tumble",
        "tumble_end" | "hop_end" => "window_end",
        "hop_start" | "sliding_window" | "hopping_window" => "hop",
        "mean" | "average" => "avg",
        "every" | "all" => "bool_and",
        "any" | "some" => "bool_or",
        "cidr_contains" | "inet_contains" | "cidrmatch" | "ip_in_subnet" | "ip_in_cidr" | "ipv4_is_in_range" => "JOIN",
        "countdistinct" | "count_distinct" | "dcount" | "uniq" | "uniqexact" => "count(DISTINCT …)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_lists_each_function() {
        let manual = include_str!("../../../../docs/src/functions.md");
        for name in SCALARS.iter().map(|scalar| scalar.name).chain(AGGREGATES) {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn allowed_functions_are_there_and_no_record_can_change_their_meaning() {
        use datafusion::execution::SessionStateDefaults;
        use datafusion_expr::Volatility;
        let ours = ["first_seen", "hop", "tumble", "window_end"];
        let functions = SessionStateDefaults::default_scalar_functions();
        for scalar in SCALARS.iter().filter(|scalar| !ours.contains(&scalar.name)) {
            let found =
                functions.iter().find(|f| f.name() == scalar.name || f.aliases().iter().any(|a| a == scalar.name));
            let found = found.unwrap_or_else(|| panic!("DataFusion has no {}", scalar.name));
            assert_eq!(found.signature().volatility, Volatility::Immutable, "{}", scalar.name);
            assert_eq!(refused(scalar.name), None, "{}", scalar.name);
        }
    }

    #[test]
    fn every_volatile_function_of_the_planner_is_refused_by_name() {
        use datafusion::execution::SessionStateDefaults;
        use datafusion_expr::Volatility;
        for function in SessionStateDefaults::default_scalar_functions() {
            if function.signature().volatility != Volatility::Immutable {
                assert_eq!(refused(function.name()), Some(Refused::Volatile), "{}", function.name());
            }
        }
    }
}
