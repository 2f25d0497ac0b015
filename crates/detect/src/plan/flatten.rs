//! A chain of filters and projections over one node, as one predicate and one list of expressions over that node.

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, Result};
use datafusion_expr::{Expr, LogicalPlan};

use super::{PlanProblem, look_up};

/// What a chain does to the rows of the node below it.
pub struct Flat<'a> {
    /// The node below: a scan, a window or an aggregate.
    pub base: &'a LogicalPlan,
    /// What must hold for a row, each over the base's columns.
    pub predicates: Vec<Expr>,
    /// The chain's output, in order, each over the base's columns.
    pub outputs: Vec<Expr>,
    /// The keys by which rows of tables are joined, each over the base's columns.
    pub joined: Vec<Expr>,
}

impl<'a> Flat<'a> {
    /// Nothing done yet to the rows of a node, and nothing shown of them.
    #[must_use]
    pub fn over(base: &'a LogicalPlan) -> Self {
        Self { base, predicates: Vec::new(), outputs: Vec::new(), joined: Vec::new() }
    }
}

/// Flattens the filters, projections, aliases and look-ups at the top of `plan`.
///
/// # Errors
/// If a table is looked up in a way that is not run, or DataFusion cannot resolve a column, which its own planning rules
/// out.
pub fn flatten(plan: &LogicalPlan) -> Result<Flat<'_>, PlanProblem> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => flatten(&alias.input),
        LogicalPlan::Filter(filter) => {
            let mut flat = flatten(&filter.input)?;
            let predicate = inline(&filter.predicate, filter.input.schema(), &flat.outputs)?;
            split_conjunction(predicate, &mut flat.predicates);
            Ok(flat)
        }
        LogicalPlan::Projection(projection) => {
            let mut flat = flatten(&projection.input)?;
            let inlined = projection.expr.iter().map(|expr| inline(expr, projection.input.schema(), &flat.outputs));
            flat.outputs = inlined.collect::<Result<Vec<_>>>()?;
            Ok(flat)
        }
        LogicalPlan::Unnest(unnest) => {
            // The one that there is comes of `hop`: its list stands for the window's start.
            let flat = flatten(&unnest.input)?;
            let outputs = unnest.dependency_indices.iter().map(|index| flat.outputs[*index].clone()).collect();
            Ok(Flat { outputs, ..flat })
        }
        LogicalPlan::Join(join) => Ok(look_up::flatten_join(join)?.unwrap_or_else(|| base(plan))),
        _ => Ok(base(plan)),
    }
}

fn base(base: &LogicalPlan) -> Flat<'_> {
    let outputs = base.schema().columns().into_iter().map(Expr::Column).collect();
    Flat { outputs, ..Flat::over(base) }
}

/// `expr` with each column of `schema` replaced by what it stands for.
///
/// # Errors
/// If a column is not in `schema`.
pub fn inline(expr: &Expr, schema: &DFSchema, meanings: &[Expr]) -> Result<Expr> {
    let replaced = expr.clone().transform(|node| match &node {
        Expr::Column(column) => Ok(Transformed::yes(meanings[index_of(schema, column)?].clone())),
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(replaced.data.unalias_nested().data)
}

/// The place of a column in a schema.
///
/// # Errors
/// If it is not there.
pub fn index_of(schema: &DFSchema, column: &Column) -> Result<usize> {
    schema.index_of_column(column)
}

/// Appends the operands of the ANDs at the top of `expr`.
pub fn split_conjunction(expr: Expr, into: &mut Vec<Expr>) {
    use datafusion_expr::{BinaryExpr, Operator};
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            split_conjunction(*left, into);
            split_conjunction(*right, into);
        }
        Expr::Alias(alias) => split_conjunction(*alias.expr, into),
        other => into.push(other),
    }
}
