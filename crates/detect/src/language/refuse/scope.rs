//! Which columns are visible where, as far as it can be told without types.

use std::collections::BTreeSet;

use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr, Ident};
use watchfire_record::{ColumnDefinition, ColumnType, Stream, activity};

use super::asked::Asked;
use super::asking::Asks;
use crate::language::windows::folded;
use crate::tables::TableDefinition;

/// A column that can be named.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub name: String,
    /// Whether it may be NULL, as far as is known.
    pub nullable: bool,
    /// Whether `->` and `->>` reach into it.
    pub json: bool,
    /// The stream and column that it is, if it is no more than that.
    pub of: Option<(String, String)>,
    /// What conditions below ask of it.
    pub asked: Option<Asked>,
}

/// The columns of a table or sub-query.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// The names that may stand before a column's, with a dot between.
    pub qualifiers: Vec<String>,
    pub columns: Vec<Known>,
    /// Whether there are columns whose names are not known.
    pub open: bool,
    /// Of a join: its inputs.
    pub sides: Vec<Scope>,
    /// What a sub-query sees of the query around it.
    pub outer: Option<Box<Scope>>,
}

impl Scope {
    /// The columns of a stream.
    pub fn of_stream(stream: &Stream) -> Self {
        let schema = stream.schema();
        let known = |field: &arrow::datatypes::FieldRef| Known {
            name: field.name().clone(),
            // Rows that the engine makes leave nothing out.
            nullable: field.is_nullable() && stream.name != activity::NAME,
            json: stream.column_type(field.name()) == Some(ColumnType::Json),
            of: Some((stream.name.clone(), field.name().clone())),
            asked: None,
        };
        Self {
            qualifiers: vec![stream.name.clone()],
            columns: schema.fields().iter().map(known).collect(),
            ..Self::default()
        }
    }

    /// The columns of a table to look up in.
    pub fn of_table(table: &TableDefinition) -> Self {
        let known = |column: &ColumnDefinition| Known {
            name: column.name.clone(),
            nullable: !table.key.contains(&column.name),
            json: column.column_type == ColumnType::Json,
            of: None,
            asked: None,
        };
        Self {
            qualifiers: vec![table.name.clone()],
            columns: table.columns.iter().map(known).collect(),
            ..Self::default()
        }
    }

    /// The same where there may be no row: then all columns are NULL.
    pub fn or_missing(mut self) -> Self {
        for column in &mut self.columns {
            (column.nullable, column.asked) = (true, None);
        }
        self
    }

    /// Two inputs as one.
    pub fn join(self, other: Self) -> Self {
        let mut sides = if self.sides.is_empty() { vec![self] } else { self.sides };
        sides.push(other);
        Self {
            qualifiers: sides.iter().flat_map(|side| side.qualifiers.clone()).collect(),
            columns: sides.iter().flat_map(|side| side.columns.clone()).collect(),
            open: sides.iter().any(|side| side.open),
            sides,
            outer: None,
        }
    }

    /// The input that a qualifier names, here or around here.
    pub fn side(&self, qualifier: &str) -> Option<&Self> {
        let sides = if self.sides.is_empty() { std::slice::from_ref(self) } else { self.sides.as_slice() };
        let found = sides.iter().find(|side| side.qualifiers.iter().any(|known| known == qualifier));
        found.or_else(|| self.outer.as_ref()?.side(qualifier))
    }

    /// Whether a name alone is known, here or around here.
    pub fn knows(&self, name: &str) -> bool {
        self.find(name).is_some() || self.outer.as_ref().is_some_and(|outer| outer.knows(name))
    }

    /// The column of this name, which is folded.
    pub fn find(&self, name: &str) -> Option<&Known> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column that an expression names, if it is no more than a name.
    pub fn column(&self, expr: &Expr) -> Option<&Known> {
        match expr {
            Expr::Identifier(name) => self.find(&folded(name)),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => self.side(&folded(table))?.find(&folded(name)),
                _ => None,
            },
            Expr::Nested(inner) => self.column(inner),
            _ => None,
        }
    }

    /// What conditions below ask of its columns, by the names that they have here.
    pub fn asks(&self) -> Asks {
        let named = |scope: &Self, before: &str| -> Vec<(String, Asked)> {
            let asked = scope
                .columns
                .iter()
                .filter_map(|known| Some((format!("{before}{}", known.name), known.asked.clone()?)));
            asked.collect()
        };
        if self.sides.is_empty() {
            return named(self, "").into_iter().collect();
        }
        let sides = self.sides.iter().filter_map(|side| Some(named(side, &format!("{}.", side.qualifiers.first()?))));
        sides.flatten().collect()
    }

    /// How a name with a table's before it is told apart from others; with one input, by the column's alone.
    pub fn key(&self, parts: &[Ident]) -> String {
        match parts {
            [table, name] if self.sides.is_empty() && self.qualifiers.contains(&folded(table)) => folded(name),
            _ => parts.iter().map(folded).collect::<Vec<_>>().join("."),
        }
    }

    /// The stream and column of what is told apart by this.
    pub fn of_key(&self, key: &str) -> Option<(String, String)> {
        let known = match key.split_once('.') {
            Some((table, name)) => self.side(table)?.find(name),
            None => self.find(key),
        };
        known?.of.clone()
    }

    /// Whether a key can be NULL in rows for which `facts` hold; where it cannot be told, no.
    pub fn can_be_null(&self, key: &Expr, facts: &Facts) -> bool {
        let nullable = match key {
            Expr::Nested(inner) => return self.can_be_null(inner, facts),
            Expr::BinaryOp { op: BinaryOperator::LongArrow, .. } => true,
            _ => self.column(key).is_some_and(|column| column.nullable),
        };
        nullable && !facts.contains(&text(key))
    }
}

/// Expressions, as text, that are not NULL in the rows that pass a condition.
pub(super) type Facts = BTreeSet<String>;

fn text(expr: &Expr) -> String {
    match expr {
        Expr::Nested(inner) => text(inner),
        Expr::CompoundIdentifier(parts) => parts.last().map_or(String::new(), folded),
        Expr::Identifier(name) => folded(name),
        _ => expr.to_string(),
    }
}

/// What a condition says is not NULL.
pub(super) fn facts(condition: &Expr) -> Facts {
    match condition {
        Expr::Nested(inner) => facts(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => facts(left).union(&facts(right)).cloned().collect(),
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            facts(left).intersection(&facts(right)).cloned().collect()
        }
        Expr::BinaryOp { left, op, right } if compares(op) => [text(left), text(right)].into(),
        Expr::IsNotNull(expr) | Expr::InList { expr, .. } | Expr::Like { expr, .. } | Expr::ILike { expr, .. } => {
            [text(expr)].into()
        }
        Expr::Between { expr, .. } => [text(expr)].into(),
        _ => Facts::new(),
    }
}

fn compares(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(
        op,
        Op::Eq
            | Op::NotEq
            | Op::Lt
            | Op::LtEq
            | Op::Gt
            | Op::GtEq
            | Op::PGRegexMatch
            | Op::PGRegexIMatch
            | Op::PGRegexNotMatch
            | Op::PGRegexNotIMatch
    )
}
