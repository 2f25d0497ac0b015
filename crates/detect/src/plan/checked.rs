//! Arithmetic that no record can stop or make wrong: where a result does not fit its type, it is NULL. Engine and oracle
//! have it in place of DataFusion's, which wraps around or ends the query.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Datum, new_null_array};
use arrow::compute::concat;
use arrow::compute::kernels::numeric::{add, div, mul, rem, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// Computes over whole arrays, and fails if it fails for one row.
type Kernel = fn(&dyn Datum, &dyn Datum) -> std::result::Result<ArrayRef, ArrowError>;

/// The operators that can fail on a row, the names of the functions in their place, and what those compute.
const OPERATORS: [(Operator, &str, Kernel); 5] = [
    (Operator::Plus, "__add", add),
    (Operator::Minus, "__subtract", sub),
    (Operator::Multiply, "__multiply", mul),
    (Operator::Divide, "__divide", div),
    (Operator::Modulo, "__modulo", rem),
];

/// An operation, its types made to fit, as a call that gives NULL where it fails. Floats have infinities, and stay.
///
/// # Errors
/// If a column is not in `schema`, which planning rules out.
pub fn checked(operation: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let op = operation.op;
    let whole = Expr::BinaryExpr(operation);
    if !OPERATORS.iter().any(|(known, ..)| *known == op) {
        return Ok(Transformed::no(whole));
    }
    let output = whole.get_type(schema)?;
    match whole {
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) if !output.is_floating() && !output.is_null() => {
            let function = ScalarUDF::from(Checked { op, output, signature: Signature::any(2, Volatility::Immutable) });
            let call = ScalarFunction::new_udf(Arc::new(function), vec![*left, *right]);
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// An expression as its author wrote it, operators in place of the calls that [`checked`] makes.
///
/// # Errors
/// None in fact: nothing is looked up.
pub fn as_written(expr: Expr) -> Result<Expr> {
    let written = expr.transform_up(|node| match node {
        Expr::ScalarFunction(mut call) if call.args.len() == 2 => {
            let Some((op, ..)) = OPERATORS.into_iter().find(|(_, name, _)| *name == call.func.name()) else {
                return Ok(Transformed::no(Expr::ScalarFunction(call)));
            };
            let (Some(right), Some(left)) = (call.args.pop(), call.args.pop()) else {
                unreachable!("the call was seen to have two arguments");
            };
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(written.data)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    output: DataType,
    signature: Signature,
}

impl Checked {
    fn function(&self) -> (&'static str, Kernel) {
        let found = OPERATORS.into_iter().find(|(op, ..)| *op == self.op);
        found.map(|(_, name, kernel)| (name, kernel)).expect("it is made for one of them")
    }

    /// The result by halves: what fails is at last a row, and NULL.
    fn by_halves(&self, left: &ArrayRef, right: &ArrayRef) -> Vec<ArrayRef> {
        match self.function().1(left, right) {
            Ok(result) => vec![result],
            Err(_) if left.len() < 2 => vec![new_null_array(&self.output, left.len())],
            Err(_) => {
                let (half, rest) = (left.len() / 2, left.len() - left.len() / 2);
                let mut parts = self.by_halves(&left.slice(0, half), &right.slice(0, half));
                parts.extend(self.by_halves(&left.slice(half, rest), &right.slice(half, rest)));
                parts
            }
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        self.function().0
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.output.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let literals = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if literals { 1 } else { args.number_rows };
        let (left, right) = (args.args[0].to_array(rows)?, args.args[1].to_array(rows)?);
        let parts = self.by_halves(&left, &right);
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let result = if let [whole] = parts.as_slice() { whole.slice(0, rows) } else { concat(&parts)? };
        Ok(if literals {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(result)
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use datafusion_expr::{col, lit};
    use proptest::prelude::*;

    use super::*;
    use crate::expression::{Expression, record_batch, schema};

    type Pair = (Option<i64>, Option<i64>);

    fn operation(op: Operator, left: Expr, right: Expr) -> BinaryExpr {
        BinaryExpr::new(Box::new(left), op, Box::new(right))
    }

    fn evaluate(op: Operator, right: Expr, values: &[(Option<i64>, Option<i64>)]) -> Vec<Option<i64>> {
        let field = |name| arrow::datatypes::Field::new(name, DataType::Int64, true);
        let fields = schema(vec![field("a"), field("b")]);
        let named = DFSchema::try_from(Arc::clone(&fields)).unwrap();
        let call = checked(operation(op, col("a"), right), &named).unwrap();
        assert!(call.transformed);
        let column =
            |pick: fn(&Pair) -> Option<i64>| -> ArrayRef { Arc::new(values.iter().map(pick).collect::<Int64Array>()) };
        let batch = record_batch(&fields, vec![column(|v| v.0), column(|v| v.1)], values.len());
        let result = Expression::compile(&call.data, &fields).unwrap().evaluate(&batch);
        result.as_primitive::<Int64Type>().iter().collect()
    }

    fn number() -> impl Strategy<Value = Option<i64>> {
        prop_oneof![
            Just(None),
            any::<i64>().prop_map(Some),
            (-3..4i64).prop_map(Some),
            Just(Some(i64::MAX)),
            Just(Some(i64::MIN))
        ]
    }

    proptest! {
        #[test]
        fn what_fits_is_right_and_what_does_not_is_null(values in prop::collection::vec((number(), number()), 1..20)) {
            type Twin = fn(i64, i64) -> Option<i64>;
            let twins: [(Operator, Twin); 5] = [
                (Operator::Plus, i64::checked_add),
                (Operator::Minus, i64::checked_sub),
                (Operator::Multiply, i64::checked_mul),
                (Operator::Divide, i64::checked_div),
                (Operator::Modulo, |a, b| if b == -1 { Some(0) } else { a.checked_rem(b) }),
            ];
            for (op, twin) in twins {
                let expected = |right: Option<i64>, left: Option<i64>| twin(left?, right?);
                let by_column: Vec<_> = values.iter().map(|(a, b)| expected(*b, *a)).collect();
                prop_assert_eq!(evaluate(op, col("b"), &values), by_column, "{}", op);
                let by_literal: Vec<_> = values.iter().map(|(a, _)| expected(Some(-1), *a)).collect();
                prop_assert_eq!(evaluate(op, lit(-1i64), &values), by_literal, "{} by a literal", op);
            }
        }
    }

    #[test]
    fn floats_stay_and_calls_can_be_written_as_operators_again() {
        let fields = schema(vec![
            arrow::datatypes::Field::new("n", DataType::Int64, true),
            arrow::datatypes::Field::new("f", DataType::Float64, true),
        ]);
        let named = DFSchema::try_from(fields).unwrap();
        assert!(!checked(operation(Operator::Plus, col("f"), lit(1.0)), &named).unwrap().transformed);
        assert!(!checked(operation(Operator::Lt, col("n"), lit(1i64)), &named).unwrap().transformed);
        let call = checked(operation(Operator::Plus, col("n"), lit(1i64)), &named).unwrap().data;
        assert_eq!(as_written(call.clone()).unwrap(), col("n") + lit(1i64));
        assert_eq!(as_written(call.eq(lit(2i64))).unwrap().human_display().to_string(), "n + 1 = 2");
    }
}
