//! Plans of sequences: a join of two inputs by equal keys within a bound of time, or `EXISTS` and `NOT EXISTS` of one.
//!
//! Columns of the two sides have the same names, so on the way each is marked with its side, in the place where SQL has a
//! table's name.

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, JoinType, Result, ScalarValue, TableReference};
use datafusion_expr::expr::InList;
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, Join, LogicalPlan, Operator as Op};
use watchfire_record::{ColumnRequest, Stream};

use super::checked::as_written;
use super::flatten::{Flat, flatten, split_conjunction};
use super::functions::{JSON_GET_TEXT, interval_micros};
use super::lift::{Requests, lift, path_request};
use super::range::is_event_time;
use super::{DetectorPlan, Input, Operator, PlanProblem, Planner, window};

/// What the sides are called in post-expressions.
const SIDES: [&str; 2] = ["a", "b"];

/// What is written in place of a join that cannot be run.
pub const EXAMPLE: &str =
    "write ON a.principal = b.principal AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '10 minutes'";

/// What makes a finding of two sides, *a* and *b*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SequenceKind {
    /// A record of *a* and one of *b*: each such pair.
    Pair,
    /// A record of *a* with any of *b*: `EXISTS`.
    Present,
    /// A record of *a* without any of *b*: `NOT EXISTS`.
    Absent,
}

/// Two records of one key within a bound of time, or one record without the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// What makes a finding.
    pub kind: SequenceKind,
    /// The least that *b*'s event time less *a*'s may be, microseconds; below 0, *b* may come first.
    pub lower: i64,
    /// The greatest that it may be, microseconds.
    pub upper: i64,
    /// Whether the two must differ in their event ids.
    pub distinct: bool,
    /// What else must hold for a pair: each of these, over columns of both sides.
    pub conditions: Vec<Expr>,
}

impl Sequence {
    /// A finding's window, from *a*'s event time and, for a pair, *b*'s, microseconds: both records; else the time in which
    /// the other was looked for, and *a*'s own.
    #[must_use]
    pub fn window(&self, a: i64, b: Option<i64>) -> (i64, i64) {
        match b.filter(|_| self.kind == SequenceKind::Pair) {
            Some(b) => (a.min(b), a.max(b)),
            None => (a.min(a.saturating_add(self.lower)), a.max(a.saturating_add(self.upper))),
        }
    }
}

/// The name by which post-expressions know a column of the side 0 or 1.
#[must_use]
pub fn side_column(side: usize, name: &str) -> String {
    format!("{}.{name}", SIDES[side])
}

/// Refuses sub-queries that have not become joins.
pub(super) fn refuse_sub_queries(plan: &LogicalPlan) -> Result<(), PlanProblem> {
    let is_sub_query =
        |expr: &Expr| Ok(matches!(expr, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_)));
    let mut found = false;
    plan.apply(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(is_sub_query)?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    if found {
        return Err(PlanProblem::join(
            "this sub-query is no plain SELECT … FROM … WHERE …, and is not run in this version",
            "write NOT EXISTS (SELECT 1 FROM cloudtrail b WHERE b.principal = a.principal AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '1 hour')",
        ));
    }
    Ok(())
}

/// Plans a detector whose topmost operator is a join node.
pub(super) fn plan(
    planner: &Planner,
    logical: &LogicalPlan,
    above: &Flat<'_>,
    node: &Join,
) -> Result<DetectorPlan, PlanProblem> {
    let kind = kind(node)?;
    let sides = Sides::new(planner, node)?;
    let mut taken = Taken::new(kind, &sides)?;
    for conjunct in sides.conjuncts()? {
        taken.condition(conjunct, &sides)?;
    }
    for predicate in &above.predicates {
        let predicate = sides.meaning(predicate)?;
        // Above EXISTS there is nothing but its own side; above a join its WHERE says what its ON might.
        if kind == SequenceKind::Pair {
            taken.condition(predicate, &sides)?
        } else {
            taken.predicates[0].push(predicate)
        }
    }
    let outputs = above.outputs.iter().map(|expr| sides.meaning(expr)).collect::<Result<Vec<_>>>()?;
    taken.finish(logical, &sides, &outputs)
}

fn kind(node: &Join) -> Result<SequenceKind, PlanProblem> {
    match node.join_type {
        JoinType::Inner => Ok(SequenceKind::Pair),
        JoinType::LeftSemi => Ok(SequenceKind::Present),
        JoinType::LeftAnti if !node.null_aware => Ok(SequenceKind::Absent),
        JoinType::LeftMark => Err(PlanProblem::join(
            "EXISTS inside OR, NOT (…) or CASE is not run in this version",
            "join EXISTS and NOT EXISTS to the rest of the WHERE by AND, or write two detectors",
        )),
        _ => Err(PlanProblem::join(
            "an outer join is not run in this version",
            "write JOIN for records that have the other, and NOT EXISTS (SELECT 1 FROM …) for those that have not",
        )),
    }
}

/// The two inputs of a join, each a chain over a scan.
struct Sides<'a> {
    node: &'a Join,
    flats: [Flat<'a>; 2],
    /// What each column of a side means, over the marked columns of its scan.
    meanings: [Vec<Expr>; 2],
    streams: [usize; 2],
    definitions: [&'a Stream; 2],
}

impl<'a> Sides<'a> {
    fn new(planner: &'a Planner, node: &'a Join) -> Result<Self, PlanProblem> {
        let flats = [side(&node.left)?, side(&node.right)?];
        let streams = [planner.stream_of(flats[0].base)?, planner.stream_of(flats[1].base)?];
        let meaning =
            |side: usize| flats[side].outputs.iter().map(|expr| marked(expr, side)).collect::<Result<Vec<_>>>();
        Ok(Self {
            node,
            meanings: [meaning(0)?, meaning(1)?],
            definitions: streams.map(|stream| &planner.streams[stream]),
            flats,
            streams,
        })
    }

    /// An expression over the join's columns, over those of the scans.
    fn meaning(&self, expr: &Expr) -> Result<Expr> {
        let replaced = expr.clone().transform(|node| match &node {
            Expr::Column(column) => {
                let inputs = [&self.node.left, &self.node.right];
                let found = [0, 1]
                    .into_iter()
                    .find_map(|side| Some(&self.meanings[side][inputs[side].schema().maybe_index_of_column(column)?]));
                match found {
                    Some(meaning) => Ok(Transformed::yes(meaning.clone())),
                    None => datafusion_common::plan_err!("column '{column}' is on neither side of the join"),
                }
            }
            _ => Ok(Transformed::no(node)),
        })?;
        Ok(replaced.data.unalias_nested().data)
    }

    /// What the join asks for.
    fn conjuncts(&self) -> Result<Vec<Expr>> {
        let mut conjuncts = Vec::new();
        for (left, right) in &self.node.on {
            conjuncts.push(self.meaning(left)?.eq(self.meaning(right)?));
        }
        if let Some(filter) = &self.node.filter {
            split_conjunction(self.meaning(filter)?, &mut conjuncts);
        }
        Ok(conjuncts)
    }

    /// Whether two keys are of one type, so that equal values have equal bytes.
    fn comparable(&self, left: &Expr, right: &Expr) -> bool {
        let of = |side: usize, expr: &Expr| {
            let schema = DFSchema::try_from_qualified_schema(SIDES[side], &self.definitions[side].schema());
            schema.and_then(|schema| expr.get_type(&schema)).ok()
        };
        of(0, left).is_some_and(|left| Some(left) == of(1, right))
    }
}

fn side(plan: &LogicalPlan) -> Result<Flat<'_>, PlanProblem> {
    let flat = flatten(plan)?;
    match flat.base {
        LogicalPlan::TableScan(_) => Ok(flat),
        LogicalPlan::Join(_) => Err(PlanProblem::join(
            "a sequence has two sides in this version, and this one has more",
            "keep two of them: one JOIN, or one EXISTS or NOT EXISTS",
        )),
        _ => Err(PlanProblem::join(
            "a side of a sequence that is itself a window, a range or a union is not run in this version",
            "let each side be a stream, or (SELECT … FROM a stream WHERE …)",
        )),
    }
}

/// What a join is made of, over marked columns.
struct Taken {
    kind: SequenceKind,
    predicates: [Vec<Expr>; 2],
    keys: [Vec<Expr>; 2],
    lower: Option<i64>,
    upper: Option<i64>,
    distinct: bool,
    conditions: Vec<Expr>,
}

impl Taken {
    /// Nothing taken yet but what each side asks for by itself.
    fn new(kind: SequenceKind, sides: &Sides<'_>) -> Result<Self> {
        let own =
            |side: usize| sides.flats[side].predicates.iter().map(|expr| marked(expr, side)).collect::<Result<_>>();
        Ok(Self {
            kind,
            predicates: [own(0)?, own(1)?],
            keys: [Vec::new(), Vec::new()],
            lower: None,
            upper: None,
            distinct: false,
            conditions: Vec::new(),
        })
    }

    /// Takes one condition of the join for what it is.
    fn condition(&mut self, expr: Expr, sides: &Sides<'_>) -> Result<(), PlanProblem> {
        match reads(&expr) {
            // That nothing joins a record of a is a finding of it: then what is said of a alone is said of the pair.
            [_, false] if self.kind == SequenceKind::Absent => self.conditions.push(expr),
            [_, false] => self.predicates[0].push(expr),
            [false, true] => self.predicates[1].push(expr),
            [true, true] => {
                if let Some((lower, upper)) = time_bound(&expr)? {
                    self.lower = self.lower.max(lower);
                    self.upper = [self.upper, upper].into_iter().flatten().min();
                } else if let Some([left, right]) = equality(&expr).filter(|keys| self.can_be_keys(keys, sides)) {
                    self.keys[0].push(left);
                    self.keys[1].push(right);
                } else if asks_for_two(&expr) {
                    self.distinct = true;
                } else {
                    self.conditions.push(expr);
                }
            }
        }
        Ok(())
    }

    /// Whether the operands of an equality can be keys: of one type, and that of *a* not one already, so that findings
    /// show each once.
    fn can_be_keys(&self, [left, right]: &[Expr; 2], sides: &Sides<'_>) -> bool {
        sides.comparable(left, right) && !self.keys[0].contains(left)
    }

    /// The bounds, if there are both.
    fn bounds(&self) -> Result<(i64, i64), PlanProblem> {
        let (Some(lower), Some(upper)) = (self.lower, self.upper) else {
            return Err(PlanProblem::join(
                "without a bound of time at both ends, what may still be joined needs memory without end",
                EXAMPLE,
            ));
        };
        if lower > upper {
            return Err(PlanProblem::join("no two records can lie within these bounds of time", EXAMPLE));
        }
        Ok((lower, upper))
    }

    fn finish(
        mut self,
        logical: &LogicalPlan,
        sides: &Sides<'_>,
        outputs: &[Expr],
    ) -> Result<DetectorPlan, PlanProblem> {
        let (lower, upper) = self.bounds()?;
        if self.keys[0].is_empty() {
            return Err(PlanProblem::join(
                "without an equality, every record would be held against every other",
                EXAMPLE,
            ));
        }
        self.leave_out_null_keys();
        let mut lifting = Lifting { definitions: sides.definitions, kept: [Requests::default(), Requests::default()] };
        let names = names(logical)?;
        let keys: Vec<(String, Expr)> = key_names(&self.keys[0], &names, outputs);
        let outputs = names.into_iter().zip(outputs).map(|(name, expr)| Ok((name, lifting.lift(expr)?)));
        let outputs = outputs.collect::<Result<Vec<_>>>()?;
        let conditions = self.conditions.iter().map(|expr| lifting.lift(expr)).collect::<Result<Vec<_>>>()?;
        let keys = keys.into_iter().map(|(name, expr)| Ok((name, lifting.lift(&expr)?)));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let [a, b] = lifting.kept;
        let inputs = vec![self.input(0, sides, a)?, self.input(1, sides, b)?];
        let sequence = Sequence { kind: self.kind, lower, upper, distinct: self.distinct, conditions };
        Ok(DetectorPlan {
            inputs,
            operator: Operator::Sequence(sequence),
            keys,
            having: Vec::new(),
            outputs,
            logical: logical.clone(),
        })
    }

    /// A key that is NULL equals none: such a record is not kept, unless its being alone is what is looked for.
    fn leave_out_null_keys(&mut self) {
        for side in [0, 1] {
            if side == 0 && self.kind == SequenceKind::Absent {
                continue;
            }
            for key in &self.keys[side] {
                let present = key.clone().is_not_null();
                if !self.predicates[side].contains(&present) {
                    self.predicates[side].push(present);
                }
            }
        }
    }

    fn input(&self, side: usize, sides: &Sides<'_>, kept: Requests) -> Result<Input> {
        let definition = sides.definitions[side];
        let (mut predicate_columns, mut row_columns) = (Requests::default(), kept.clone());
        let lift_into = |expr: &Expr, requests: &mut Requests| -> Result<Expr> {
            requests.add(expr, definition)?;
            lift(expr, definition)
        };
        let predicates = self.predicates[side].iter().map(|expr| lift_into(expr, &mut predicate_columns));
        let predicates = predicates.collect::<Result<Vec<_>>>()?;
        let keys = window::named(self.keys[side].clone()).into_iter();
        let keys = keys.map(|(name, expr)| Ok((name, lift_into(&expr, &mut row_columns)?)));
        Ok(Input {
            stream: sides.streams[side],
            predicates,
            keys: keys.collect::<Result<Vec<_>>>()?,
            placed_by: None,
            outputs: Vec::new(),
            predicate_columns: predicate_columns.into_list(),
            row_columns: row_columns.into_list(),
            kept_columns: kept.into_list(),
        })
    }
}

/// Keys with the names that findings show: a key that the found row has goes by its name there.
fn key_names(keys: &[Expr], names: &[String], outputs: &[Expr]) -> Vec<(String, Expr)> {
    let shown = |key: &Expr| outputs.iter().position(|output| output.clone().unalias() == *key);
    let named = window::named(keys.to_vec()).into_iter();
    named.map(|(name, key)| (shown(&key).map_or(name, |place| names[place].clone()), key)).collect()
}

/// The names of the found row's columns, which must differ.
fn names(logical: &LogicalPlan) -> Result<Vec<String>, PlanProblem> {
    let names: Vec<String> = logical.schema().fields().iter().map(|field| field.name().clone()).collect();
    match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        None => Ok(names),
        Some((_, twice)) => Err(PlanProblem::join(
            format!("the found row has two columns named `{twice}`"),
            format!(
                "name what the finding shows, and give each its own name: a.{twice} AS first_{twice}, b.{twice} AS then_{twice}"
            ),
        )),
    }
}

/// `expr` with its columns marked as those of a side.
fn marked(expr: &Expr, side: usize) -> Result<Expr> {
    let marked = expr.clone().transform(|node| match node {
        Expr::Column(column) => {
            Ok(Transformed::yes(Expr::Column(Column::new(Some(TableReference::bare(SIDES[side])), column.name))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(marked.data)
}

/// The side of a marked column.
fn side_of(column: &Column) -> usize {
    usize::from(column.relation.as_ref().is_some_and(|relation| relation.table() == SIDES[1]))
}

/// Which sides an expression over marked columns reads.
fn reads(expr: &Expr) -> [bool; 2] {
    let mut read = [false; 2];
    expr.column_refs().into_iter().for_each(|column| read[side_of(column)] = true);
    read
}

/// A comparison's operands and operator.
fn comparison(expr: &Expr) -> Option<(&Expr, Op, &Expr)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => Some((left, *op, right)),
        _ => None,
    }
}

/// The operands of an equality of something of *a* with something of *b*, in this order.
fn equality(expr: &Expr) -> Option<[Expr; 2]> {
    let (left, Op::Eq, right) = comparison(expr)? else { return None };
    match (reads(left), reads(right)) {
        ([true, false], [false, true]) => Some([left.clone(), right.clone()]),
        ([false, true], [true, false]) => Some([right.clone(), left.clone()]),
        _ => None,
    }
}

/// Whether an expression is `a.event_id <> b.event_id`.
fn asks_for_two(expr: &Expr) -> bool {
    let is_id = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == "event_id");
    comparison(expr).is_some_and(|(left, op, right)| op == Op::NotEq && is_id(left) && is_id(right))
}

/// A least and a greatest value, both included, as far as there are such.
type Bounds = (Option<i64>, Option<i64>);

/// The least and the greatest, as far as `expr` says, that *b*'s event time less *a*'s may be, microseconds; `None` if it
/// says nothing of that.
fn time_bound(expr: &Expr) -> Result<Option<Bounds>, PlanProblem> {
    let written = as_written(expr.clone())?;
    let Some((left, op, right)) = comparison(&written) else { return Ok(None) };
    let (Some((side, before)), Some((other, after))) = (shifted_time(left)?, shifted_time(right)?) else {
        return Ok(None);
    };
    if side == other {
        return Ok(None);
    }
    // Written as: b's time, op, a's time and so much.
    let (op, shift) =
        if side == 1 { (op, after.checked_sub(before)) } else { (op.swap().unwrap_or(op), before.checked_sub(after)) };
    let Some(shift) = shift else { return Err(PlanProblem::join("the bound of time is too far away", EXAMPLE)) };
    Ok(match op {
        Op::Eq => Some((Some(shift), Some(shift))),
        Op::LtEq => Some((None, Some(shift))),
        Op::Lt => Some((None, Some(shift.saturating_sub(1)))),
        Op::GtEq => Some((Some(shift), None)),
        Op::Gt => Some((Some(shift.saturating_add(1)), None)),
        _ => None,
    })
}

/// A side's event time and how much is added to it, microseconds, if the expression is that.
fn shifted_time(expr: &Expr) -> Result<Option<(usize, i64)>, PlanProblem> {
    match expr {
        Expr::Column(column) if is_event_time(expr) => Ok(Some((side_of(column), 0))),
        Expr::Alias(alias) => shifted_time(&alias.expr),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Op::Plus | Op::Minus), right }) => {
            let (time, interval) = match (left.as_ref(), right.as_ref()) {
                (time, Expr::Literal(interval, _)) => (time, interval),
                (Expr::Literal(interval, _), time) if *op == Op::Plus => (time, interval),
                _ => return Ok(None),
            };
            let Some((side, before)) = shifted_time(time)? else { return Ok(None) };
            let length = interval_micros(interval)?;
            let shift = if *op == Op::Plus { before.checked_add(length) } else { before.checked_sub(length) };
            shift
                .map(|shift| Some((side, shift)))
                .ok_or_else(|| PlanProblem::join("the bound of time is too far away", EXAMPLE))
        }
        _ => Ok(None),
    }
}

/// Turns expressions over marked columns to such over lifted ones, and collects what they read.
struct Lifting<'a> {
    definitions: [&'a Stream; 2],
    kept: [Requests; 2],
}

impl Lifting<'_> {
    fn lift(&mut self, expr: &Expr) -> Result<Expr> {
        let lifted = expr.clone().transform_down(|node| match &node {
            Expr::ScalarFunction(call) if call.func.name() == JSON_GET_TEXT => {
                let side = call.args.first().and_then(Expr::try_as_col).map_or(0, side_of);
                match path_request(&call.args, self.definitions[side])? {
                    Some(request) => Ok(self.read(side, request)),
                    None => Ok(Transformed::no(node)),
                }
            }
            Expr::Column(column) => {
                let side = side_of(column);
                self.kept[side].column(&column.name, self.definitions[side]);
                Ok(Transformed::new(column_of(side, &column.name), true, TreeNodeRecursion::Jump))
            }
            _ => Ok(Transformed::no(node)),
        })?;
        Ok(lifted.data)
    }

    fn read(&mut self, side: usize, request: ColumnRequest) -> Transformed<Expr> {
        let column = column_of(side, &request.name());
        self.kept[side].0.insert(request.name(), request);
        Transformed::new(column, true, TreeNodeRecursion::Jump)
    }
}

fn column_of(side: usize, name: &str) -> Expr {
    Expr::Column(Column::from_name(side_column(side, name)))
}

/// Whether one record could be both sides of a finding, as far as can be told: then it joins itself.
#[must_use]
pub fn joins_itself(plan: &DetectorPlan) -> bool {
    let (Operator::Sequence(sequence), [a, b]) = (&plan.operator, plan.inputs.as_slice()) else { return false };
    let at_once = sequence.lower <= 0 && sequence.upper >= 0;
    let differ = a.predicates.iter().filter_map(values).any(|(column, of_a)| {
        let same = b.predicates.iter().filter_map(values).filter(|(other, _)| *other == column);
        same.into_iter().any(|(_, of_b)| of_b.iter().all(|value| !of_a.contains(value)))
    });
    a.stream == b.stream && at_once && !sequence.distinct && !differ
}

/// A column and the values that it has where `expr` holds.
fn values(expr: &Expr) -> Option<(&str, Vec<&ScalarValue>)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Op::Eq, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
                Some((&column.name, vec![value]))
            }
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Op::Or, right }) => {
            let (mut left, right) = (values(left)?, values(right)?);
            (left.0 == right.0).then(|| {
                left.1.extend(right.1);
                left
            })
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let Expr::Column(column) = expr.as_ref() else { return None };
            let values = list.iter().map(|value| match value {
                Expr::Literal(value, _) => Some(value),
                _ => None,
            });
            Some((&column.name, values.collect::<Option<Vec<_>>>()?))
        }
        _ => None,
    }
}
