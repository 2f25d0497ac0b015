//! Conditions on one text column, compiled once for all workers of a stream and all versions of its detectors.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::datatypes::Field;
use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::ColumnRequest;

use super::native::Native;
use crate::expression::{Expression, record_batch, schema};

/// A condition on one text column.
pub struct Condition {
    native: Option<Native>,
    expression: Expression,
}

impl Condition {
    fn new(column: &ColumnRequest, expr: &Expr) -> Result<Self> {
        let schema = schema(vec![Field::new(column.name(), column.column_type.arrow(), true)]);
        Ok(Self { native: Native::of(expr), expression: Expression::compile(expr, &schema)? })
    }

    /// Whether it holds for each of these texts.
    pub fn of_texts<'a>(&self, texts: impl Iterator<Item = &'a str>) -> BooleanArray {
        match &self.native {
            Some(native) => texts.map(|text| Some(native.holds(text))).collect(),
            None => self.evaluate(Arc::new(StringArray::from_iter_values(texts))),
        }
    }

    /// Whether it holds for NULL.
    pub fn of_null(&self) -> Option<bool> {
        let said = self.evaluate(Arc::new(StringArray::new_null(1)));
        said.is_valid(0).then(|| said.value(0))
    }

    /// Whether it holds for each value of a column.
    pub fn of_column(&self, values: &ArrayRef) -> BooleanArray {
        match (&self.native, values.as_string_opt::<i32>()) {
            (Some(native), Some(texts)) => texts.iter().map(|text| text.map(|text| native.holds(text))).collect(),
            _ => self.evaluate(Arc::clone(values)),
        }
    }

    fn evaluate(&self, values: ArrayRef) -> BooleanArray {
        let rows = values.len();
        let result = self.expression.evaluate(&record_batch(self.expression.schema(), vec![values], rows));
        let result = result.as_any().downcast_ref::<BooleanArray>().cloned();
        result.unwrap_or_else(|| BooleanArray::new_null(rows))
    }
}

/// The conditions that matchers of one stream have: patterns take long to compile, so who comes later takes what is there.
#[derive(Clone, Default)]
pub struct Conditions(Arc<Mutex<HashMap<Expr, Weak<Condition>>>>);

impl Conditions {
    /// A condition on this column, which is one of texts.
    ///
    /// # Errors
    /// If the expression does not fit, which planning rules out.
    pub fn of(&self, column: &ColumnRequest, expr: &Expr) -> Result<Arc<Condition>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(condition) = known.get(expr).and_then(Weak::upgrade) {
            return Ok(condition);
        }
        let condition = Arc::new(Condition::new(column, expr)?);
        known.insert(expr.clone(), Arc::downgrade(&condition));
        Ok(condition)
    }

    /// Forgets those that nobody has any more.
    pub fn forget_unused(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, condition| condition.strong_count() > 0);
    }
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conditions").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use datafusion_expr::{col, lit};
    use watchfire_record::{ColumnSource, ColumnType};

    use super::*;

    #[test]
    fn a_condition_is_compiled_once_for_as_long_as_somebody_has_it() {
        let column = ColumnRequest { source: ColumnSource::Column("x".into()), column_type: ColumnType::Text };
        let conditions = Conditions::default();
        let first = conditions.of(&column, &col("x").like(lit("a%"))).unwrap();
        let again = conditions.clone().of(&column, &col("x").like(lit("a%"))).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other = conditions.of(&column, &col("x").like(lit("b%"))).unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
        drop(other);
        conditions.forget_unused();
        assert_eq!(conditions.0.lock().unwrap().len(), 1);
    }
}
