//! Plans of unions: the same question of several streams, each branch a match.

use datafusion_common::Result;
use datafusion_expr::{Expr, LogicalPlan};

use super::flatten::{Flat, flatten, inline};
use super::lift::{Requests, lift};
use super::{DetectorPlan, Input, Operator, PlanProblem, Planner, Read};

/// Branches of one detector.
const MOST_BRANCHES: usize = 32;

/// Plans a detector whose topmost operator is a union node.
pub(super) fn plan(planner: &Planner, logical: &LogicalPlan, above: &Flat<'_>) -> Result<DetectorPlan, PlanProblem> {
    let mut branches = Vec::new();
    spread(
        Flat {
            base: above.base,
            predicates: above.predicates.clone(),
            outputs: above.outputs.clone(),
            joined: above.joined.clone(),
        },
        &mut branches,
    )?;
    if branches.len() > MOST_BRANCHES {
        return Err(PlanProblem::form(
            format!("more than {MOST_BRANCHES} queries in one UNION ALL"),
            "write several detectors, or one query with OR",
        ));
    }
    let names: Vec<String> = logical.schema().fields().iter().map(|field| field.name().clone()).collect();
    let inputs = branches.iter().map(|branch| input(planner, branch, &names));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    Ok(DetectorPlan {
        operator: Operator::Match,
        keys: Vec::new(),
        having: Vec::new(),
        outputs: inputs[0].outputs.clone(),
        logical: logical.clone(),
        inputs,
    })
}

/// The chains over scans of which a chain over unions is made, in the order of the text.
fn spread<'a>(flat: Flat<'a>, into: &mut Vec<Flat<'a>>) -> Result<(), PlanProblem> {
    match flat.base {
        LogicalPlan::Union(node) => {
            for branch in &node.inputs {
                let below = flatten(branch)?;
                let inline_all = |exprs: &[Expr]| -> Result<Vec<Expr>> {
                    exprs.iter().map(|expr| inline(expr, &node.schema, &below.outputs)).collect()
                };
                let outputs = inline_all(&flat.outputs)?;
                let mut predicates = below.predicates.clone();
                predicates.extend(inline_all(&flat.predicates)?);
                let mut joined = below.joined.clone();
                joined.extend(inline_all(&flat.joined)?);
                spread(Flat { base: below.base, predicates, outputs, joined }, into)?;
            }
            Ok(())
        }
        LogicalPlan::TableScan(_) => {
            into.push(flat);
            Ok(())
        }
        _ => Err(PlanProblem::form(
            "a union of ranges, windows or sequences is not run in this version",
            "let each query of the UNION ALL be SELECT … FROM a stream WHERE …, or write a detector for each",
        )),
    }
}

fn input(planner: &Planner, branch: &Flat<'_>, names: &[String]) -> Result<Input, PlanProblem> {
    let stream = planner.stream_of(branch.base)?;
    let definition = &planner.streams[stream];
    let (mut predicate_columns, mut row_columns) = (Requests::default(), Requests::default());
    let lift_into = |expr: &Expr, requests: &mut Requests| -> Result<Expr> {
        requests.add(expr, definition)?;
        lift(expr, definition)
    };
    let predicates = branch.predicates.iter().map(|expr| lift_into(expr, &mut predicate_columns));
    let predicates = predicates.collect::<Result<Vec<_>>>()?;
    let outputs =
        branch.outputs.iter().zip(names).map(|(expr, name)| Ok((name.clone(), lift_into(expr, &mut row_columns)?)));
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let joined = branch.joined.iter().map(|expr| lift_into(expr, &mut row_columns)).collect::<Result<Vec<_>>>()?;
    let read = Read::new(predicate_columns, row_columns);
    Ok(Input {
        stream,
        predicates,
        outputs,
        predicate_columns: read.by_predicates,
        row_columns: read.by_rows,
        look_ups: read.look_ups,
        joined,
        ..Input::default()
    })
}
