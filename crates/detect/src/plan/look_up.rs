//! Plans of look-ups: a join of records with a table by the table's whole key.
//!
//! Each column that is taken of the table becomes a call over the key, and the call, like a path into JSON, a column
//! that comes with the record's own. So what is joined can stand wherever a column of the stream can.

use std::any::Any;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, JoinType, Result, TableReference, plan_err};
use datafusion_expr::expr::{Case, ScalarFunction};
use datafusion_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Join, LogicalPlan, Operator as Op, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TableSource, TryCast, Volatility, lit,
};
use watchfire_record::{ColumnRequest, ColumnSource, ColumnType, LookUpSource, Stream};

use super::PlanProblem;
use super::flatten::{Flat, flatten, split_conjunction};
use super::lift::{Requests, lift};
use crate::tables::Table;

/// A table by a key that is made of a record's columns.
#[derive(Debug, Clone)]
pub struct LookUp {
    /// Its name: the same table by the same key has the same. `functions[principal]`.
    pub name: String,
    /// The table.
    pub table: Arc<Table>,
    /// What the table's key columns are compared with, in their order; over lifted columns.
    pub keys: Vec<Expr>,
    /// What the keys read.
    pub key_columns: Vec<ColumnRequest>,
}

/// A table as the planner sees it.
pub struct LookUpTable {
    table: Arc<Table>,
    schema: SchemaRef,
}

impl LookUpTable {
    /// This table.
    #[must_use]
    pub fn new(table: Arc<Table>) -> Self {
        let schema = Arc::new(table.definition().schema());
        Self { table, schema }
    }
}

impl TableSource for LookUpTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The table that a node scans, if it is one.
#[must_use]
pub fn table_of(node: &LogicalPlan) -> Option<&Arc<Table>> {
    let LogicalPlan::TableScan(scan) = node else { return None };
    let source: &dyn Any = scan.source.as_ref();
    source.downcast_ref::<LookUpTable>().map(|source| &source.table)
}

/// A plan that scans these tables, by name, in the places of others.
#[must_use]
pub fn over_tables(plan: LogicalPlan, tables: &HashMap<String, Arc<Table>>) -> LogicalPlan {
    let replaced = plan.transform_up(|node| {
        let other = table_of(&node).and_then(|table| tables.get(&table.definition().name));
        match (other, node) {
            (Some(table), LogicalPlan::TableScan(mut scan)) => {
                scan.source = Arc::new(LookUpTable::new(Arc::clone(table)));
                Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
            }
            (_, node) => Ok(Transformed::no(node)),
        }
    });
    replaced.expect("nothing is done that fails").data
}

/// What a call takes of the row that is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Column(String),
    Found,
    Any,
}

/// What a table has by a key, the call's arguments. It is never run: [`request`] makes a column of it.
#[derive(Debug)]
struct LookedUp {
    table: Arc<Table>,
    what: What,
    signature: Signature,
}

impl LookedUp {
    fn call(table: &Arc<Table>, what: What, keys: &[Expr]) -> Expr {
        let signature = Signature::any(keys.len(), Volatility::Immutable);
        let function = ScalarUDF::from(Self { table: Arc::clone(table), what, signature });
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), keys.to_vec()))
    }

    fn column_type(&self) -> ColumnType {
        match &self.what {
            What::Column(name) => self.table.definition().column_type(name).unwrap_or(ColumnType::Text),
            What::Found | What::Any => ColumnType::Text,
        }
    }
}

impl PartialEq for LookedUp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table) && self.what == other.what
    }
}

impl Eq for LookedUp {}

impl Hash for LookedUp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.table.definition().name.hash(state);
        self.what.hash(state);
    }
}

impl ScalarUDFImpl for LookedUp {
    fn name(&self) -> &str {
        match &self.what {
            What::Column(name) => name,
            What::Found => "found",
            What::Any => "any",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.column_type().arrow())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        plan_err!("a table is looked up once a batch, not in an expression")
    }
}

fn looked_up(call: &ScalarFunction) -> Option<&LookedUp> {
    let function: &dyn Any = call.func.inner().as_ref();
    function.downcast_ref::<LookedUp>()
}

/// The name of the table's column that a call takes; `None` if it is another call.
#[must_use]
pub fn column_name(call: &ScalarFunction) -> Option<&str> {
    match &looked_up(call)?.what {
        What::Column(name) => Some(name),
        What::Found | What::Any => None,
    }
}

/// Whether a call looks up.
#[must_use]
pub fn is_call(call: &ScalarFunction) -> bool {
    looked_up(call).is_some()
}

fn is_look_up(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if is_call(call))
}

/// The column that stands for a call, and the look-ups that it takes, each after those that it builds on; `None` if the
/// call is another one.
///
/// # Errors
/// If a path has a step that is no literal, which planning rules out.
pub fn request(call: &ScalarFunction, stream: &Stream) -> Result<Option<(ColumnRequest, Vec<LookUp>)>> {
    let Some(function) = looked_up(call) else { return Ok(None) };
    let mut read = Requests::default();
    call.args.iter().try_for_each(|key| read.add(key, stream))?;
    let keys = call.args.iter().map(|key| lift(key, stream)).collect::<Result<Vec<_>>>()?;
    let shown: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let name = format!("{}[{}]", function.table.definition().name, shown.join(", "));
    let source = match &function.what {
        What::Column(column) => LookUpSource::Column(name.clone(), column.clone()),
        What::Found => LookUpSource::Found(name.clone()),
        What::Any => LookUpSource::Any(name.clone()),
    };
    let request = ColumnRequest { source: ColumnSource::LookUp(source), column_type: function.column_type() };
    let (key_columns, mut look_ups) = read.into_parts();
    look_ups.push(LookUp { name, table: Arc::clone(&function.table), keys, key_columns });
    Ok(Some((request, look_ups)))
}

/// Refuses a key that is made of two records: `side` tells which one a column is of.
pub(super) fn of_one_record(expr: &Expr, side: impl Fn(&Column) -> usize) -> Result<(), PlanProblem> {
    let mut mixed = None;
    expr.apply(|node| {
        if let Expr::ScalarFunction(call) = node
            && let Some(function) = looked_up(call)
        {
            let mut sides: Vec<usize> = call.args.iter().flat_map(Expr::column_refs).map(&side).collect();
            sides.dedup();
            mixed = mixed.take().or((sides.len() > 1).then(|| Arc::clone(&function.table)));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    mixed.map_or(Ok(()), |table| {
        Err(problem(
            &table,
            "the key is made of two records, and a row holds at the time of one",
            "make it of the columns of one side",
        ))
    })
}

/// A join with a table, as a chain over what the records come from; `None` if neither side is a table.
///
/// # Errors
/// If the table is not looked up by its whole key, or joined in a way that is not run.
pub(super) fn flatten_join(join: &Join) -> Result<Option<Flat<'_>>, PlanProblem> {
    let (left, right) = (flatten(&join.left)?, flatten(&join.right)?);
    let joined = match (table_of(left.base), table_of(right.base)) {
        (None, None) => return Ok(None),
        (None, Some(table)) => Joined { join, table, records: left, found: right, table_first: false },
        (Some(table), None) => Joined { join, table, records: right, found: left, table_first: true },
        (Some(table), Some(_)) => {
            return Err(problem(table, "two tables are joined, and no record is looked up", stream_first(table)));
        }
    };
    joined.flat().map(Some)
}

/// The whole key, as it is written in ON.
fn whole_key(table: &Table) -> String {
    let equal: Vec<String> = table.definition().key.iter().map(|key| format!("t.{key} = …")).collect();
    equal.join(" AND ")
}

/// What is written where a table stands in a stream's place.
fn stream_first(table: &Table) -> String {
    let name = &table.definition().name;
    format!(
        "start with the stream: FROM cloudtrail s JOIN {name} t ON {}; each record finds one row or none",
        whole_key(table)
    )
}

fn problem(table: &Table, message: impl Into<String>, help: impl Into<String>) -> PlanProblem {
    let table = table.definition().name.clone();
    PlanProblem::LookUp { message: message.into(), help: help.into(), table }
}

/// Says that a table cannot stand where records are read.
pub(super) fn not_read(table: &Table) -> PlanProblem {
    let message =
        format!("the table `{}` is read like a stream, and nothing happens in a table", table.definition().name);
    problem(table, message, stream_first(table))
}

/// A join of records with a table, on its way to a chain over the records.
struct Joined<'a> {
    join: &'a Join,
    table: &'a Arc<Table>,
    /// The records' side.
    records: Flat<'a>,
    /// The table's side.
    found: Flat<'a>,
    /// Whether the table is the left side.
    table_first: bool,
}

impl<'a> Joined<'a> {
    fn flat(self) -> Result<Flat<'a>, PlanProblem> {
        self.can_be_run()?;
        let (keys, conditions) = self.keys()?;
        let is_found = LookedUp::call(self.table, What::Found, &keys);
        // What must hold besides that there is a row.
        let mut asked = Vec::new();
        for condition in conditions {
            asked.push(self.taken(condition, &keys)?);
        }
        let rows =
            self.found.outputs.iter().map(|expr| self.taken(of_row(expr)?, &keys)).collect::<Result<Vec<_>>>()?;
        let not_in = self.join.null_aware.then(|| self.not_in(&keys, asked.is_empty())).transpose()?;
        let certain = asked.is_empty();
        let matched = asked.into_iter().fold(is_found.clone().is_not_null(), Expr::and);
        let mut flat = self.records;
        match self.join.join_type {
            JoinType::Inner => {
                split_conjunction(matched, &mut flat.predicates);
                flat.joined.extend(keys);
                let at = if self.table_first { 0 } else { flat.outputs.len() };
                flat.outputs.splice(at..at, rows);
            }
            JoinType::Left => {
                let shown = |expr| if certain && is_look_up(&expr) { expr } else { if_matched(expr, &matched) };
                flat.outputs.extend(rows.into_iter().map(shown));
            }
            JoinType::LeftSemi => split_conjunction(matched, &mut flat.predicates),
            JoinType::LeftAnti => {
                flat.predicates.push(if certain { is_found.is_null() } else { Expr::IsNotTrue(Box::new(matched)) });
                flat.predicates.extend(not_in);
            }
            _ => flat.outputs.push(Expr::IsTrue(Box::new(matched))),
        }
        Ok(flat)
    }

    fn can_be_run(&self) -> Result<(), PlanProblem> {
        let kept = matches!(
            self.join.join_type,
            JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark
        );
        if !kept || (self.table_first && self.join.join_type != JoinType::Inner) {
            let message = "this join keeps rows of the table that no record finds";
            return Err(problem(self.table, message, stream_first(self.table)));
        }
        match self.records.base {
            LogicalPlan::TableScan(_) | LogicalPlan::Join(_) | LogicalPlan::Union(_) => Ok(()),
            _ => Err(problem(
                self.table,
                "a table joined to the rows of a window or a range is not run in this version",
                format!(
                    "join it to the stream, below the window: FROM cloudtrail s JOIN {} t ON {} GROUP BY …",
                    self.table.definition().name,
                    whole_key(self.table)
                ),
            )),
        }
    }

    /// What the key's columns are compared with, in their order, and what else is asked, of both sides or of the table's
    /// row alone: over the chains' bases.
    fn keys(&self) -> Result<(Vec<Expr>, Vec<Expr>), PlanProblem> {
        let definition = self.table.definition();
        let mut keys: Vec<Option<Expr>> = vec![None; definition.key.len()];
        let mut conditions = Vec::new();
        let own = self.found.predicates.iter().map(of_row).collect::<Result<Vec<_>>>()?;
        for conjunct in self.conjuncts()?.into_iter().chain(own) {
            match self.key(&conjunct)? {
                Some((place, expr)) if keys[place].is_none() => keys[place] = Some(expr),
                _ => conditions.push(conjunct),
            }
        }
        let missing: Vec<&str> =
            definition.key.iter().zip(&keys).filter(|(_, key)| key.is_none()).map(|(name, _)| name.as_str()).collect();
        if !missing.is_empty() {
            return Err(self.without_key(&missing));
        }
        let keys: Vec<Expr> = keys.into_iter().flatten().collect();
        if keys.iter().all(|key| key.column_refs().is_empty()) {
            let message = "the key is the same for all records";
            return Err(problem(self.table, message, "compare the key with a column of the stream"));
        }
        Ok((keys, conditions))
    }

    fn without_key(&self, missing: &[&str]) -> PlanProblem {
        let definition = self.table.definition();
        let (name, missing) = (&definition.name, missing.join(", "));
        let message = format!("the table `{name}` is joined without an equality with its key {missing}");
        problem(
            self.table,
            message,
            format!(
                "join by its whole key, each column equal to what the record says: JOIN {name} t ON {}; if the types differ, cast the record's side",
                whole_key(self.table)
            ),
        )
    }

    /// What the join asks for, over the columns of the chains' bases, those of the table's side marked by its scan.
    fn conjuncts(&self) -> Result<Vec<Expr>> {
        let mut conjuncts = Vec::new();
        for (left, right) in &self.join.on {
            conjuncts.push(self.meaning(left)?.eq(self.meaning(right)?));
        }
        if let Some(filter) = &self.join.filter {
            split_conjunction(self.meaning(filter)?, &mut conjuncts);
        }
        conjuncts.retain(|conjunct| !matches!(conjunct, Expr::Literal(value, _) if *value == true.into()));
        Ok(conjuncts)
    }

    /// An expression over the join's columns, over those of the bases.
    fn meaning(&self, expr: &Expr) -> Result<Expr> {
        let (left, right) = (self.join.left.schema(), self.join.right.schema());
        let (of_records, of_table) = if self.table_first { (right, left) } else { (left, right) };
        let replaced = expr.clone().transform(|node| match &node {
            Expr::Column(column) => {
                match (of_records.maybe_index_of_column(column), of_table.maybe_index_of_column(column)) {
                    (Some(place), _) => Ok(Transformed::yes(self.records.outputs[place].clone())),
                    (None, Some(place)) => Ok(Transformed::yes(of_row(&self.found.outputs[place])?)),
                    (None, None) => plan_err!("column '{column}' is on neither side of the join"),
                }
            }
            _ => Ok(Transformed::no(node)),
        })?;
        Ok(replaced.data.unalias_nested().data)
    }

    /// Which part of the key an equality gives, and what it is equal to.
    fn key(&self, conjunct: &Expr) -> Result<Option<(usize, Expr)>, PlanProblem> {
        let place = |name: &str| self.table.definition().key.iter().position(|key| key == name);
        // `= true` and `= false`, as the planner has them.
        let truth = match conjunct {
            Expr::Not(inner) => (inner.as_ref(), false),
            other => (other, true),
        };
        if let Expr::Column(column) = truth.0
            && is_of_row(column)
        {
            return Ok(place(&column.name).map(|place| (place, lit(truth.1))));
        }
        let Expr::BinaryExpr(BinaryExpr { left, op: Op::Eq, right }) = conjunct else { return Ok(None) };
        for (of_table, of_record) in [(left, right), (right, left)] {
            let Some((name, cast)) = row_column(of_table) else { continue };
            let place = place(name);
            let reads_table = of_record.column_refs().into_iter().any(is_of_row);
            if let Some(place) = place.filter(|_| !reads_table)
                && let Some(expr) = self.of_type(place, of_record, cast)?
            {
                return Ok(Some((place, expr)));
            }
        }
        Ok(None)
    }

    /// What is compared with a part of the key, of the key's type; `None` if it has another one.
    fn of_type(&self, place: usize, expr: &Expr, cast: bool) -> Result<Option<Expr>> {
        let definition = self.table.definition();
        let wanted = definition.column_type(&definition.key[place]).unwrap_or(ColumnType::Text).arrow();
        let found = expr.get_type(self.records.base.schema())?;
        if found == wanted && !cast {
            return Ok(Some(expr.clone()));
        }
        // Kinds of text are one type in SQL, and the planner has made them fit on the table's side.
        let texts = found.is_string() && wanted.is_string();
        let make = || Expr::TryCast(TryCast::new(Box::new(expr.clone()), wanted.clone()));
        Ok(texts.then(make))
    }

    /// An expression in which columns of the table's row are what is looked up by these keys.
    fn taken(&self, expr: Expr, keys: &[Expr]) -> Result<Expr> {
        let taken = expr.transform(|node| match &node {
            Expr::Column(column) if is_of_row(column) => {
                Ok(Transformed::yes(LookedUp::call(self.table, What::Column(column.name.clone()), keys)))
            }
            _ => Ok(Transformed::no(node)),
        })?;
        Ok(taken.data)
    }

    /// What `NOT IN` asks for besides: NULL is in no list that is not empty, and not out of it either.
    fn not_in(&self, keys: &[Expr], certain: bool) -> Result<Expr, PlanProblem> {
        match keys {
            [key] if certain => {
                let empty = LookedUp::call(self.table, What::Any, keys).is_null();
                Ok(key.clone().is_not_null().or(empty))
            }
            _ => Err(problem(
                self.table,
                "NOT IN with a condition, or over a key of several columns, is not run in this version",
                format!(
                    "write NOT EXISTS (SELECT 1 FROM {} t WHERE {} AND …)",
                    self.table.definition().name,
                    whole_key(self.table)
                ),
            )),
        }
    }
}

/// What columns of the table's row are marked with, in the place where SQL has a table's name.
const ROW: &str = "__row_of_table";

/// An expression over a table's scan, its columns marked.
fn of_row(expr: &Expr) -> Result<Expr> {
    let marked = expr.clone().transform(|node| match node {
        Expr::Column(column) => {
            Ok(Transformed::yes(Expr::Column(Column::new(Some(TableReference::bare(ROW)), column.name))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(marked.data)
}

fn is_of_row(column: &Column) -> bool {
    column.relation.as_ref().is_some_and(|relation| relation.table() == ROW)
}

/// The column of the table's row that an expression is, and whether the planner made another kind of text of it.
fn row_column(expr: &Expr) -> Option<(&str, bool)> {
    match expr {
        Expr::Column(column) if is_of_row(column) => Some((&column.name, false)),
        Expr::TryCast(cast) if cast.field.data_type().is_string() => {
            row_column(&cast.expr).map(|(name, _)| (name, true))
        }
        _ => None,
    }
}

/// An expression where there is a row, and NULL elsewhere.
fn if_matched(expr: Expr, matched: &Expr) -> Expr {
    let when = (Box::new(matched.clone()), Box::new(expr));
    Expr::Case(Case { expr: None, when_then_expr: vec![when], else_expr: None })
}
