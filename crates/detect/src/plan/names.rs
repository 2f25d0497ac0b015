//! Aggregates that differ in casts alone get names of their own: the planner names an expression without its casts, and
//! takes two of one name for a mistake.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion_sql::sqlparser::ast::{
    CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Value, visit_expressions_mut,
};

/// The aggregates that detectors may have.
const AGGREGATES: [&str; 7] = ["count", "sum", "avg", "min", "max", "bool_and", "bool_or"];

/// The query in which of such aggregates each but the first looks at its argument through a CASE that changes nothing.
pub fn apart(mut query: Query) -> Query {
    let mut known: HashMap<String, Vec<String>> = HashMap::new();
    let _ = visit_expressions_mut(&mut query, |expr| {
        if let Expr::Function(call) = expr
            && AGGREGATES.iter().any(|name| call.name.to_string().eq_ignore_ascii_case(name))
        {
            let (named, whole) = (without_casts(&Expr::Function(call.clone())).to_string(), call.to_string());
            let alike = known.entry(named).or_default();
            let place = alike.iter().position(|other| *other == whole).unwrap_or_else(|| {
                alike.push(whole);
                alike.len() - 1
            });
            (0..place).for_each(|_| look_through_case(call));
        }
        ControlFlow::<()>::Continue(())
    });
    query
}

fn without_casts(expr: &Expr) -> Expr {
    let mut expr = expr.clone();
    let _ = visit_expressions_mut(&mut expr, |part| {
        while let Expr::Cast { expr: inner, .. } = part {
            *part = (**inner).clone();
        }
        ControlFlow::<()>::Continue(())
    });
    expr
}

fn look_through_case(call: &mut Function) {
    let FunctionArguments::List(list) = &mut call.args else { return };
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))) = list.args.first_mut() {
        let always = CaseWhen { condition: Expr::Value(Value::Boolean(true).into()), result: argument.clone() };
        *argument = Expr::Case {
            case_token: AttachedToken::empty(),
            end_token: AttachedToken::empty(),
            operand: None,
            conditions: vec![always],
            else_result: None,
        };
    }
}
