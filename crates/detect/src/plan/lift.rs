//! Which columns of a stream a detector reads: names without qualifiers, JSON paths as columns of their own.

use std::collections::BTreeMap;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result, plan_err};
use datafusion_expr::Expr;
use watchfire_record::{ColumnRequest, ColumnSource, ColumnType, Stream};

use super::functions::{JSON_GET_TEXT, path_step};
use super::look_up::{self, LookUp};

/// `expr` over the columns that the decoder is asked for: `request ->> 'x'` becomes the column `request->>'x'`.
///
/// # Errors
/// If a path has a step that is no literal, which planning rules out.
pub fn lift(expr: &Expr, stream: &Stream) -> Result<Expr> {
    // From above, as a look-up's key is part of its column's name.
    let lifted = expr.clone().transform_down(|node| match node {
        Expr::Column(column) => Ok(stands(column.name)),
        Expr::ScalarFunction(call) if look_up::is_call(&call) => match look_up::request(&call, stream)? {
            Some((request, _)) => Ok(stands(request.name())),
            None => Ok(Transformed::no(Expr::ScalarFunction(call))),
        },
        Expr::ScalarFunction(call) if call.func.name() == JSON_GET_TEXT => match path_request(&call.args, stream)? {
            Some(request) => Ok(stands(request.name())),
            None => Ok(Transformed::no(Expr::ScalarFunction(call))),
        },
        other => Ok(Transformed::no(other)),
    })?;
    Ok(lifted.data)
}

/// A column that stands for an expression, in which there is nothing more to lift.
fn stands(name: String) -> Transformed<Expr> {
    Transformed::new(Expr::Column(Column::from_name(name)), true, TreeNodeRecursion::Jump)
}

/// The request for a path of literals into a JSON column of the stream; `None` if it starts elsewhere.
pub(super) fn path_request(args: &[Expr], stream: &Stream) -> Result<Option<ColumnRequest>> {
    let Some((Expr::Column(column), steps)) = args.split_first() else { return Ok(None) };
    if stream.column_type(&column.name) != Some(ColumnType::Json) {
        return Ok(None);
    }
    let steps = steps.iter().map(|step| match step {
        Expr::Literal(value, _) => path_step(value),
        _ => plan_err!("a path into JSON is made of literals"),
    });
    let source = ColumnSource::Path(column.name.clone(), steps.collect::<Result<_>>()?);
    Ok(Some(ColumnRequest { source, column_type: ColumnType::Text }))
}

/// The requests behind the lifted columns of one detector, by column name, and the look-ups that some of them take.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    columns: BTreeMap<String, ColumnRequest>,
    look_ups: Vec<LookUp>,
}

impl Requests {
    /// The requests, in the order of their names, and the look-ups, each after those that it builds on.
    #[must_use]
    pub fn into_parts(self) -> (Vec<ColumnRequest>, Vec<LookUp>) {
        (self.columns.into_values().collect(), self.look_ups)
    }

    /// Adds one request.
    pub fn insert(&mut self, request: ColumnRequest) {
        self.columns.insert(request.name(), request);
    }

    /// Adds look-ups that are not there yet.
    pub fn look_up(&mut self, look_ups: Vec<LookUp>) {
        for look_up in look_ups {
            if !self.look_ups.iter().any(|known| known.name == look_up.name) {
                self.look_ups.push(look_up);
            }
        }
    }

    /// Adds what `expr` (not yet lifted) reads.
    ///
    /// # Errors
    /// As [`lift`].
    pub fn add(&mut self, expr: &Expr, stream: &Stream) -> Result<()> {
        let mut pending = vec![expr];
        while let Some(expr) = pending.pop() {
            if let Expr::ScalarFunction(call) = expr
                && call.func.name() == JSON_GET_TEXT
                && let Some(request) = path_request(&call.args, stream)?
            {
                self.insert(request);
                continue;
            }
            if let Expr::ScalarFunction(call) = expr
                && let Some((request, look_ups)) = look_up::request(call, stream)?
            {
                self.insert(request);
                self.look_up(look_ups);
                continue;
            }
            if let Expr::Column(column) = expr {
                self.column(&column.name, stream);
            }
            expr.apply_children(|child| {
                pending.push(child);
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(())
    }

    /// Adds a column of the stream; names that it has not are an operator's own and are passed over.
    pub fn column(&mut self, name: &str, stream: &Stream) {
        if let Some(column_type) = stream.column_type(name) {
            self.insert(ColumnRequest { source: ColumnSource::Column(name.to_owned()), column_type });
        }
    }
}
