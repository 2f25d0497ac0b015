//! Aggregates whose result does not depend on the order of rows, and that no row can make fail: engine and oracle have
//! the same ones in place of DataFusion's, whose sums wrap and whose averages round as they go.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

/// All aggregates of this module.
#[must_use]
pub fn all() -> Vec<Arc<AggregateUDF>> {
    let function =
        |kind| Arc::new(AggregateUDF::from(Exact { kind, signature: Signature::user_defined(Volatility::Immutable) }));
    [Kind::Sum, Kind::Average, Kind::All, Kind::Any].map(function).into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Average,
    All,
    Any,
}

/// What is known of the values that are not NULL: truth values count as 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Their sum.
    pub total: i128,
    /// How many they are.
    pub count: i64,
}

impl Tally {
    /// Takes a value in.
    pub fn add(&mut self, value: i64) {
        self.total += i128::from(value);
        self.count += 1;
    }

    /// Takes a value out.
    pub fn remove(&mut self, value: i64) {
        self.total -= i128::from(value);
        self.count -= 1;
    }

    /// Takes all values of another one in.
    pub fn merge(&mut self, other: &Self) {
        self.total += other.total;
        self.count += other.count;
    }

    /// The sum; `None` without values, or beyond 64 bits.
    #[must_use]
    pub fn sum(&self) -> Option<i64> {
        i64::try_from(self.total).ok().filter(|_| self.count > 0)
    }

    /// The exact sum over the number of values, rounded once.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the one rounding")]
    pub fn average(&self) -> Option<f64> {
        let count = u128::try_from(self.count).ok().filter(|count| *count > 0)?;
        let total = self.total.unsigned_abs();
        // At least 64 digits of the quotient, of which the last stands for all that follow: rounding it is rounding all.
        let shift = total.leading_zeros().saturating_sub(1);
        let (whole, rest) = ((total << shift) / count, (total << shift) % count);
        let average = (whole | u128::from(rest > 0)) as f64 / (1u128 << shift) as f64;
        Some(if self.total < 0 { -average } else { average })
    }

    /// Whether all values are true.
    #[must_use]
    pub fn all(&self) -> Option<bool> {
        (self.count > 0).then(|| self.total == i128::from(self.count))
    }

    /// Whether a value is true.
    #[must_use]
    pub fn any(&self) -> Option<bool> {
        (self.count > 0).then_some(self.total > 0)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    kind: Kind,
    signature: Signature,
}

impl AggregateUDFImpl for Exact {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Sum => "sum",
            Kind::Average => "avg",
            Kind::All => "bool_and",
            Kind::Any => "bool_or",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Sum => DataType::Int64,
            Kind::Average => DataType::Float64,
            Kind::All | Kind::Any => DataType::Boolean,
        })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        match (self.kind, types) {
            (Kind::Sum | Kind::Average, [given]) if given.is_integer() || given.is_null() => Ok(vec![DataType::Int64]),
            (Kind::Sum | Kind::Average, [given]) => plan_err!(
                "{name} is exact over whole numbers only, and this is {given}: write {name}(CAST(… AS BIGINT))"
            ),
            (Kind::All | Kind::Any, [DataType::Boolean | DataType::Null]) => Ok(vec![DataType::Boolean]),
            (Kind::All | Kind::Any, [given]) => plan_err!("{name} wants a condition, and this is {given}"),
            _ => plan_err!("{name} takes one argument"),
        }
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Tallying { kind: self.kind, tally: Tally::default() }))
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |name, data_type| Arc::new(Field::new(name, data_type, true));
        Ok(vec![field("total", DataType::Decimal128(38, 0)), field("count", DataType::Int64)])
    }
}

#[derive(Debug)]
struct Tallying {
    kind: Kind,
    tally: Tally,
}

impl Accumulator for Tallying {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        numbers(&values[0]).for_each(|value| self.tally.add(value));
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        numbers(&values[0]).for_each(|value| self.tally.remove(value));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(match self.kind {
            Kind::Sum => ScalarValue::Int64(self.tally.sum()),
            Kind::Average => ScalarValue::Float64(self.tally.average()),
            Kind::All => ScalarValue::Boolean(self.tally.all()),
            Kind::Any => ScalarValue::Boolean(self.tally.any()),
        })
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let total = ScalarValue::Decimal128(Some(self.tally.total), 38, 0);
        Ok(vec![total, ScalarValue::Int64(Some(self.tally.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.tally.total += states[0].as_primitive::<Decimal128Type>().iter().flatten().sum::<i128>();
        self.tally.count += states[1].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        Ok(())
    }
}

/// The values that are not NULL, truth values as 0 and 1.
fn numbers(values: &ArrayRef) -> Box<dyn Iterator<Item = i64> + '_> {
    match values.as_boolean_opt() {
        Some(values) => Box::new(values.iter().flatten().map(i64::from)),
        None if values.data_type().is_null() => Box::new(std::iter::empty()),
        None => Box::new(values.as_primitive::<Int64Type>().iter().flatten()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_and_null_where_they_do_not_fit() {
        let mut tally = Tally::default();
        assert_eq!((tally.sum(), tally.average(), tally.all(), tally.any()), (None, None, None, None));
        tally.add(i64::MAX);
        tally.add(i64::MAX);
        assert_eq!(tally.sum(), None);
        tally.remove(i64::MAX);
        assert_eq!(tally.sum(), Some(i64::MAX));
    }

    #[test]
    fn averages_are_rounded_once() {
        let average = |total: i128, count: i64| Tally { total, count }.average();
        assert_eq!(average(0, 3), Some(0.0));
        assert_eq!(average(1, 3), Some(1.0 / 3.0));
        assert_eq!(average(-7, 2), Some(-3.5));
        // Rounded to 53 digits first, this sum would be 2^53 and the average a third of it, one digit less.
        assert_eq!(average((1 << 53) + 1, 3), Some(3_002_399_751_580_331.0));
        assert_eq!(average(i128::from(i64::MAX) * 3, 3), Some(i64::MAX as f64));
        assert_eq!(average(i128::from(i64::MIN) * i128::from(i64::MAX), i64::MAX), Some(i64::MIN as f64));
        for (total, count) in [(1, 7), (1, i64::MAX), (1 << 40, 3), (-(1 << 52) + 1, 49), (5, 5)] {
            assert_eq!(average(total, count), Some(total as f64 / count as f64), "{total} / {count}");
        }
    }
}
