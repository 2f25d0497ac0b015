//! Functions and operators that detectors have and DataFusion has not: `tumble`, `->` and `->>`.

use std::sync::Arc;

use arrow::array::{AsArray, ListBuilder, StringBuilder, TimestampMicrosecondArray, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion_common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion_sql::sqlparser::ast::BinaryOperator;
use watchfire_record::json::{self, PathStep};

/// Name of the function behind `->`.
pub const JSON_GET: &str = "json_get";
/// Name of the function behind `->>`.
pub const JSON_GET_TEXT: &str = "json_get_text";
/// Name of the tumbling window function.
pub const TUMBLE: &str = "tumble";

/// Name of the function behind `hop`: the starts of all windows that a time lies in.
pub const HOP_STARTS: &str = "__hop_starts";
/// Name of the column that `hop` is expanded to.
pub const HOP_COLUMN: &str = "__hop";

const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// All functions of this module.
#[must_use]
pub fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Arc::new(ScalarUDF::from(Tumble::new())),
        Arc::new(ScalarUDF::from(HopStarts::new())),
        Arc::new(ScalarUDF::from(JsonGet::new(false))),
        Arc::new(ScalarUDF::from(JsonGet::new(true))),
    ]
}

/// `tumble(event_time, INTERVAL …)`: the start of the window that a time lies in; windows align to the epoch, UTC.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Tumble(Signature);

impl Tumble {
    fn new() -> Self {
        let interval = DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano);
        Self(Signature::exact(vec![TIME, interval], Volatility::Immutable))
    }
}

impl ScalarUDFImpl for Tumble {
    fn name(&self) -> &str {
        TUMBLE
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(TIME)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(size) = &args.args[1] else {
            return plan_err!("tumble wants a literal INTERVAL as its second argument");
        };
        let size = interval_micros(size)?;
        let times = args.args[0].to_array(args.number_rows)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let starts: TimestampMicrosecondArray = times.unary(|time| window_start(time, size));
        Ok(ColumnarValue::Array(Arc::new(starts)))
    }
}

/// `__hop_starts(event_time, slide, size)`: the starts of the windows of `size` that a time lies in, one each `slide`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct HopStarts(Signature);

impl HopStarts {
    fn new() -> Self {
        let interval = || DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano);
        Self(Signature::exact(vec![TIME, interval(), interval()], Volatility::Immutable))
    }
}

impl ScalarUDFImpl for HopStarts {
    fn name(&self) -> &str {
        HOP_STARTS
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(TIME, true))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (ColumnarValue::Scalar(slide), ColumnarValue::Scalar(size)) = (&args.args[1], &args.args[2]) else {
            return plan_err!("hop wants literal INTERVALs as its second and third argument");
        };
        let (slide, size) = (interval_micros(slide)?, interval_micros(size)?);
        let times = args.args[0].to_array(args.number_rows)?;
        let mut lists = ListBuilder::new(TimestampMicrosecondBuilder::new());
        for time in times.as_primitive::<TimestampMicrosecondType>() {
            lists.append_option(time.map(|time| window_starts(time, size, slide).map(Some)));
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}

/// The start of the window of `size` microseconds in which `time` lies.
#[must_use]
pub fn window_start(time: i64, size: i64) -> i64 {
    time - time.rem_euclid(size)
}

/// The starts of the windows of `size` microseconds, one each `slide`, in which `time` lies; the latest first.
pub fn window_starts(time: i64, size: i64, slide: i64) -> impl Iterator<Item = i64> {
    let latest = window_start(time, slide);
    std::iter::successors(Some(latest), move |start| start.checked_sub(slide))
        .take_while(move |start| time.saturating_sub(size) < *start)
}

/// The length of an interval literal in microseconds.
///
/// # Errors
/// If it is no positive interval, or has months, whose length differs.
pub fn interval_micros(value: &ScalarValue) -> Result<i64> {
    let ScalarValue::IntervalMonthDayNano(Some(interval)) = value else {
        return plan_err!("expected a literal such as INTERVAL '5 minutes'");
    };
    if interval.months != 0 {
        return plan_err!("months have no fixed length: write the interval in days");
    }
    let micros = i64::from(interval.days)
        .checked_mul(86_400_000_000)
        .and_then(|days| days.checked_add(interval.nanoseconds / 1000));
    match micros {
        Some(micros) if micros > 0 && interval.nanoseconds % 1000 == 0 => Ok(micros),
        _ => plan_err!("the interval must be positive and of whole microseconds"),
    }
}

/// `->` (JSON text) and `->>` (a value's text), on JSON text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonGet {
    signature: Signature,
    text: bool,
}

impl JsonGet {
    fn new(text: bool) -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable), text }
    }
}

impl ScalarUDFImpl for JsonGet {
    fn name(&self) -> &str {
        if self.text { JSON_GET_TEXT } else { JSON_GET }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let path = args.args[1..].iter().map(step_of).collect::<Result<Vec<_>>>()?;
        let values = args.args[0].to_array(args.number_rows)?;
        let mut builder = StringBuilder::new();
        for text in values.as_string::<i32>() {
            builder.append_option(text.and_then(|text| self.get(text, &path)));
        }
        Ok(ColumnarValue::Array(Arc::new(builder.finish())))
    }
}

impl JsonGet {
    fn get(&self, text: &str, path: &[PathStep]) -> Option<String> {
        if self.text {
            return json::text_at(text, path);
        }
        let value = json::parse(text).ok()?;
        json::descend(&value, path).filter(|found| !found.is_null()).map(ToString::to_string)
    }
}

fn step_of(value: &ColumnarValue) -> Result<PathStep> {
    match value {
        ColumnarValue::Scalar(scalar) => path_step(scalar),
        ColumnarValue::Array(_) => plan_err!("a path into JSON is made of literals"),
    }
}

/// A literal of a path as a step of it.
///
/// # Errors
/// If it is neither a text nor a whole number.
pub fn path_step(value: &ScalarValue) -> Result<PathStep> {
    match value {
        ScalarValue::Utf8(Some(key)) | ScalarValue::Utf8View(Some(key)) | ScalarValue::LargeUtf8(Some(key)) => {
            Ok(PathStep::Key(key.clone()))
        }
        ScalarValue::Int64(Some(index)) => Ok(PathStep::Index(*index)),
        _ => plan_err!("a path into JSON is made of texts and whole numbers"),
    }
}

/// Plans `->` and `->>` as calls of the functions above, chains of them as one call with a longer path.
#[derive(Debug)]
pub struct JsonPlanner {
    get: Arc<ScalarUDF>,
    get_text: Arc<ScalarUDF>,
}

impl Default for JsonPlanner {
    fn default() -> Self {
        Self {
            get: Arc::new(ScalarUDF::from(JsonGet::new(false))),
            get_text: Arc::new(ScalarUDF::from(JsonGet::new(true))),
        }
    }
}

impl ExprPlanner for JsonPlanner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match expr.op {
            BinaryOperator::Arrow => &self.get,
            BinaryOperator::LongArrow => &self.get_text,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let (base, mut path) = match expr.left {
            Expr::ScalarFunction(call) if call.func.name() == JSON_GET => {
                let mut args = call.args.into_iter();
                (args.next(), args.collect())
            }
            Expr::ScalarFunction(call) if call.func.name() == JSON_GET_TEXT => {
                return plan_err!("only the last step of a path is `->>`: write `->` for those before it");
            }
            other => (Some(other), Vec::new()),
        };
        let Some(base) = base else { return plan_err!("a path into JSON starts at a column") };
        let Expr::Literal(step, _) = &expr.right else {
            return plan_err!("the right side of `->` and `->>` is a literal: a key in single quotes, or an index");
        };
        path_step(step)?;
        if !matches!(base.get_type_of(schema)?, DataType::Utf8 | DataType::Utf8View) {
            return plan_err!("`->` and `->>` reach into JSON columns (request, response, …), not into other types");
        }
        path.push(expr.right);
        let args = std::iter::once(base).chain(path).collect();
        Ok(PlannerResult::Planned(function.call(args)))
    }
}

/// The type of an expression, by a short name.
trait TypeOf {
    fn get_type_of(&self, schema: &DFSchema) -> Result<DataType>;
}

impl TypeOf for Expr {
    fn get_type_of(&self, schema: &DFSchema) -> Result<DataType> {
        datafusion_expr::ExprSchemable::get_type(self, schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_lies_in_the_windows_that_start_at_or_before_it_and_end_after_it() {
        let starts = |time, size, slide| window_starts(time, size, slide).collect::<Vec<i64>>();
        assert_eq!(starts(10, 5, 2), [10, 8, 6]);
        assert_eq!(starts(9, 5, 2), [8, 6]);
        assert_eq!(starts(-1, 4, 2), [-2, -4]);
        assert_eq!(starts(7, 5, 5), [5]);
        assert_eq!(starts(10, 5, 5), [10]);
    }
}
