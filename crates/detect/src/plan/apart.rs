//! Lists that are compared with one value are kept apart while a plan is simplified.
//!
//! DataFusion puts `x IN (…) AND x IN (…)` and their like together as sets (`inlist_intersection` and `inlist_except` of
//! its optimizer 55). That forgets NULL, in the lists and as `x`: `x NOT IN (NULL, 0) AND x IN (-1)` would become `x = -1`,
//! and `x NOT IN (1) OR x NOT IN (2)` would hold for every record. Within two calls of a function that gives what it is
//! given, each with a number of its own, one value is two.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::{
    BinaryExpr, ColumnarValue, Expr, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, lit,
};

/// The function's name.
const NAME: &str = "__apart";

/// The plan in which a value that is compared with several lists is another one for each.
///
/// # Errors
/// None that is known of; DataFusion's ways through a plan may have some.
pub fn lists_apart(plan: LogicalPlan) -> Result<LogicalPlan> {
    each_expression(plan, |expr| {
        let several = in_several_lists(&expr);
        if several.is_empty() {
            return Ok(expr);
        }
        let function = Arc::new(ScalarUDF::from(Apart(Signature::any(2, Volatility::Immutable))));
        let mut number = 0;
        let mut apart = |value: Expr| {
            number += 1;
            Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&function), vec![value, lit(number)]))
        };
        let apart = expr.transform_up(|expr| match expr {
            Expr::InList(mut list) if several.contains(list.expr.as_ref()) => {
                list.expr = Box::new(apart(*list.expr));
                Ok(Transformed::yes(Expr::InList(list)))
            }
            Expr::BinaryExpr(mut equal) if value_of(&equal).is_some_and(|value| several.contains(value)) => {
                let is_left = !matches!(*equal.left, Expr::Literal(..));
                let value = if is_left { &mut equal.left } else { &mut equal.right };
                **value = apart(std::mem::take(value));
                Ok(Transformed::yes(Expr::BinaryExpr(equal)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(apart.data)
    })
}

/// The plan without what [`lists_apart`] put in.
///
/// # Errors
/// As there.
pub fn together_again(plan: LogicalPlan) -> Result<LogicalPlan> {
    each_expression(plan, |expr| {
        let apart = expr.transform_up(|expr| match expr {
            Expr::ScalarFunction(mut call) if call.func.name() == NAME => {
                Ok(Transformed::yes(call.args.swap_remove(0)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(apart.data)
    })
}

fn each_expression(plan: LogicalPlan, mut change: impl FnMut(Expr) -> Result<Expr>) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let preserver = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = preserver.save(&expr);
            Ok(Transformed::yes(name.restore(change(expr)?)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(changed.data)
}

/// Gives its first argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Apart(Signature);

impl ScalarUDFImpl for Apart {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(arguments.args.swap_remove(0))
    }
}

/// The values that more than one list is compared with.
fn in_several_lists(expr: &Expr) -> HashSet<Expr> {
    let mut lists: HashMap<&Expr, usize> = HashMap::new();
    for (value, (compared, is_list)) in comparisons(expr).into_values().flatten() {
        if is_list || compared > 1 {
            *lists.entry(value).or_default() += 1;
        }
    }
    lists.into_iter().filter(|(_, lists)| *lists > 1).map(|(value, _)| value.clone()).collect()
}

/// How often a value is compared, and whether with a list.
type Compared<'a> = HashMap<&'a Expr, (usize, bool)>;

/// What values are compared with literals and lists of them. Comparisons that OR joins stand together, as they are put
/// together rightly; those with NOT do not.
fn comparisons(expr: &Expr) -> HashMap<usize, Compared<'_>> {
    let mut found: HashMap<usize, Compared<'_>> = HashMap::new();
    let mut groups = 0;
    let mut next = vec![(expr, groups)];
    while let Some((expr, group)) = next.pop() {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                next.extend([(left.as_ref(), group), (right.as_ref(), group)]);
                continue;
            }
            Expr::InList(list) => {
                groups += usize::from(list.negated);
                let group = if list.negated { groups } else { group };
                let compared = found.entry(group).or_default().entry(&list.expr).or_default();
                *compared = (compared.0 + 1, true);
            }
            Expr::BinaryExpr(equal) => {
                if let Some(value) = value_of(equal) {
                    found.entry(group).or_default().entry(value).or_default().0 += 1;
                }
            }
            _ => {}
        }
        let _ = expr.apply_children(|child| {
            groups += 1;
            next.push((child, groups));
            Ok(TreeNodeRecursion::Continue)
        });
    }
    found
}

/// What is compared with a literal.
fn value_of(equal: &BinaryExpr) -> Option<&Expr> {
    match (equal.left.as_ref(), equal.op, equal.right.as_ref()) {
        (value, Operator::Eq, Expr::Literal(..)) | (Expr::Literal(..), Operator::Eq, value) => Some(value),
        _ => None,
    }
}
