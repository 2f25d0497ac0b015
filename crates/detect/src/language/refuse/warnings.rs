//! What is allowed and likely not meant.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr, Function, GroupByExpr, Select, visit_expressions};

use super::Checker;
use super::expressions::text_of;
use super::group::{is_window, meaning};
use super::scope::{Facts, Scope};
use crate::language::catalogue::without_version;
use crate::language::codes;
use crate::language::windows::{self, folded};

/// API calls whose event names carry the API's date: `UpdateFunctionCode20150331v2`.
const VERSIONED: [&str; 40] = [
    "AddLayerVersionPermission",
    "AddPermission",
    "CreateAlias",
    "CreateCloudFrontOriginAccessIdentity",
    "CreateDistribution",
    "CreateEventSourceMapping",
    "CreateFunction",
    "CreateInvalidation",
    "DeleteAlias",
    "DeleteDistribution",
    "DeleteEventSourceMapping",
    "DeleteFunction",
    "DeleteFunctionConcurrency",
    "DeleteLayerVersion",
    "GetAccountSettings",
    "GetAlias",
    "GetDistribution",
    "GetDistributionConfig",
    "GetEventSourceMapping",
    "GetFunction",
    "GetFunctionConfiguration",
    "GetLayerVersion",
    "GetLayerVersionPolicy",
    "GetPolicy",
    "ListAliases",
    "ListDistributions",
    "ListEventSourceMappings",
    "ListFunctions",
    "ListLayerVersions",
    "ListLayers",
    "ListVersionsByFunction",
    "PublishLayerVersion",
    "PublishVersion",
    "PutFunctionConcurrency",
    "RemovePermission",
    "UpdateAlias",
    "UpdateDistribution",
    "UpdateEventSourceMapping",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
];

impl Checker<'_> {
    /// Warns of keys that can be NULL.
    pub(super) fn null_keys(&mut self, select: &Select, input: &Scope, known: &Facts) {
        let mut keys: Vec<Expr> = Vec::new();
        if let GroupByExpr::Expressions(exprs, _) = &select.group_by {
            keys.extend(exprs.iter().map(|expr| meaning(expr, select)).filter(|expr| !is_window(expr)).cloned());
        }
        for_each_call(select, |function| {
            if let Some(Ok(spec)) = function.over.as_ref().map(|over| windows::resolve(over, &select.named_window)) {
                keys.extend(spec.partition_by);
            }
        });
        let mut warned = BTreeSet::new();
        for key in keys.iter().filter(|key| input.can_be_null(key, known)) {
            let span = self.span(key, select);
            let text = self.text(span.clone()).to_owned();
            if warned.insert(text.clone()) {
                let word = if select.selection.is_some() { "AND" } else { "WHERE" };
                let warning = self.error(
                    codes::NULL_KEY,
                    span,
                    format!("the key {text} can be NULL, and all records without it are then one group"),
                );
                self.report(
                    warning
                        .warning()
                        .label("may be NULL")
                        .help(format!("if that is not meant, add {word} {text} IS NOT NULL")),
                );
            }
        }
    }

    /// Warns of event names that are compared without the API's version that they carry, and of actions with it.
    pub(super) fn versioned_names(&mut self, select: &Select, input: &Scope) {
        if input.find("event_name").is_none() || input.find("action").is_none() {
            return;
        }
        let mut compared = Vec::new();
        for_each_expression(select, |expr| match expr {
            Expr::BinaryOp { left, op: BinaryOperator::Eq | BinaryOperator::NotEq, right } => {
                compared.extend([
                    (left.as_ref().clone(), right.as_ref().clone()),
                    (right.as_ref().clone(), left.as_ref().clone()),
                ]);
            }
            Expr::InList { expr, list, .. } => {
                compared.extend(list.iter().map(|value| (expr.as_ref().clone(), value.clone())))
            }
            _ => {}
        });
        for (column, value) in &compared {
            let column = match column {
                Expr::Identifier(column) => folded(column),
                Expr::CompoundIdentifier(parts) => parts.last().map(folded).unwrap_or_default(),
                _ => continue,
            };
            let Some(text) = text_of(value) else { continue };
            let stem = without_version(text);
            let message = if column == "event_name" && VERSIONED.contains(&text) {
                format!(
                    "the event name of `{text}` carries an API version in the log, so that this comparison misses it"
                )
            } else if column == "action" && stem.len() < text.len() {
                format!("`action` has no API version: nothing equals `{text}`")
            } else {
                continue;
            };
            let warning = self.error(codes::VERSIONED_NAME, self.span(value, select), message).warning();
            self.report(warning.help(format!("compare the column without version: action = '{stem}'")));
        }
    }
}

pub(super) fn for_each_call(select: &Select, mut visit: impl FnMut(&Function)) {
    for_each_expression(select, |expr| {
        if let Expr::Function(function) = expr {
            visit(function);
        }
    });
}

/// The expressions of a SELECT, not those of what it selects from.
fn for_each_expression(select: &Select, mut visit: impl FnMut(&Expr)) {
    let parts = (&select.projection, &select.selection, &select.having, &select.qualify);
    let mut visit = |expr: &Expr| {
        visit(expr);
        ControlFlow::<()>::Continue(())
    };
    let _ = visit_expressions(parts.0, &mut visit);
    for part in [parts.1, parts.2, parts.3] {
        let _ = visit_expressions(part, &mut visit);
    }
}
