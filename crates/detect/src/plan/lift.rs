//! Which columns of a stream a detector reads: names without qualifiers, JSON paths as columns of their own.

use std::collections::BTreeMap;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, Result, plan_err};
use datafusion_expr::Expr;
use watchfire_record::{ColumnRequest, ColumnSource, ColumnType, Stream};

use super::functions::{JSON_GET_TEXT, path_step};

/// `expr` over the columns that the decoder is asked for: `request ->> 'x'` becomes the column `request->>'x'`.
///
/// # Errors
/// If a path has a step that is no literal, which planning rules out.
pub fn lift(expr: &Expr, stream: &Stream) -> Result<Expr> {
    let lifted = expr.clone().transform_up(|node| match node {
        Expr::Column(column) => Ok(Transformed::yes(Expr::Column(Column::from_name(column.name)))),
        Expr::ScalarFunction(call) if call.func.name() == JSON_GET_TEXT => match path_request(&call.args, stream)? {
            Some(request) => Ok(Transformed::yes(Expr::Column(Column::from_name(request.name())))),
            None => Ok(Transformed::no(Expr::ScalarFunction(call))),
        },
        other => Ok(Transformed::no(other)),
    })?;
    Ok(lifted.data)
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

/// The requests behind the lifted columns of one detector, by column name.
#[derive(Debug, Clone, Default)]
pub struct Requests(pub BTreeMap<String, ColumnRequest>);

impl Requests {
    /// The requests, in the order of their names.
    #[must_use]
    pub fn into_list(self) -> Vec<ColumnRequest> {
        self.0.into_values().collect()
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
                self.0.insert(request.name(), request);
                continue;
            }
            if let Expr::Column(column) = expr {
                self.column(&column.name, stream);
            }
            expr.apply_children(|child| {
                pending.push(child);
                Ok(datafusion_common::tree_node::TreeNodeRecursion::Continue)
            })?;
        }
        Ok(())
    }

    /// Adds a column of the stream; names that it has not are an operator's own and are passed over.
    pub fn column(&mut self, name: &str, stream: &Stream) {
        if let Some(column_type) = stream.column_type(name) {
            let request = ColumnRequest { source: ColumnSource::Column(name.to_owned()), column_type };
            self.0.insert(name.to_owned(), request);
        }
    }
}
