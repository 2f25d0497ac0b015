//! Column names: each must be visible where it is used.

use std::ops::{ControlFlow, Range};

use datafusion_sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, TableAlias, TableFactor, Visit, Visitor,
};

use super::asking::Asks;
use super::scope::{Facts, Known, Scope, facts};
use super::{Checker, Place};
use crate::language::codes;
use crate::language::nearest::nearest;
use crate::language::windows::folded;

/// The tables that WITH clauses define, the innermost last.
type Tables = Vec<(String, Scope)>;

impl Checker<'_> {
    /// Checks all names of columns, and what depends on columns being known.
    pub(super) fn columns(&mut self) {
        let parsed = self.parsed;
        let found = self.query_columns(&parsed.query, &mut Tables::new(), None);
        self.header_keys(&found);
    }

    /// Checks a query; gives the columns of its rows. A sub-query in a WHERE sees the columns `around` it.
    fn query_columns(&mut self, query: &Query, tables: &mut Tables, around: Option<&Scope>) -> Scope {
        let outer = tables.len();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let scope = self.query_columns(&cte.query, tables, None);
            let name = folded(&cte.alias.name);
            tables.push((name.clone(), Scope { qualifiers: vec![name], ..scope }));
        }
        let scope = self.body_columns(&query.body, tables, around);
        tables.truncate(outer);
        scope
    }

    fn body_columns(&mut self, body: &SetExpr, tables: &mut Tables, around: Option<&Scope>) -> Scope {
        match body {
            SetExpr::Select(select) => self.select_columns(select, tables, around),
            SetExpr::Query(inner) => self.query_columns(inner, tables, around),
            SetExpr::SetOperation { left, right, .. } => {
                let first = self.body_columns(left, tables, around);
                self.body_columns(right, tables, around);
                first
            }
            _ => Scope { open: true, ..Scope::default() },
        }
    }

    fn factor_columns(&mut self, factor: &TableFactor, tables: &mut Tables) -> Scope {
        let (scope, alias) = match factor {
            TableFactor::Table { name, alias, .. } => {
                let name = name.0.last().and_then(|part| part.as_ident()).map(folded).unwrap_or_default();
                let defined = tables.iter().rev().find(|(table, _)| *table == name).map(|(_, scope)| scope.clone());
                let stream = self.streams.iter().find(|stream| stream.name == name).map(Scope::of_stream);
                let tables = self.tables.iter().map(|table| table.definition());
                let table = tables.into_iter().find(|table| table.name == name).map(Scope::of_table);
                (defined.or(stream).or(table).unwrap_or(Scope { open: true, ..Scope::default() }), alias)
            }
            TableFactor::Derived { subquery, alias, .. } => (self.query_columns(subquery, tables, None), alias),
            TableFactor::NestedJoin { table_with_joins, alias } => {
                (self.factor_columns(&table_with_joins.relation, tables), alias)
            }
            _ => (Scope { open: true, ..Scope::default() }, &None),
        };
        let renamed = |TableAlias { name, .. }: &TableAlias| Scope { qualifiers: vec![folded(name)], ..scope.clone() };
        alias.as_ref().map_or_else(|| scope.clone(), renamed)
    }

    fn select_columns(&mut self, select: &Select, tables: &mut Tables, around: Option<&Scope>) -> Scope {
        let mut input = match select.from.first() {
            Some(table) => {
                let first = self.factor_columns(&table.relation, tables);
                table.joins.iter().fold(first, |scope, join| {
                    let other = self.factor_columns(&join.relation, tables);
                    let outer = matches!(join.join_operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_));
                    scope.join(if outer { other.or_missing() } else { other })
                })
            }
            None => Scope::default(),
        };
        input.outer = around.cloned().map(Box::new);
        let known = select.selection.as_ref().map(facts).unwrap_or_default();
        self.names(select, &input);
        self.null_keys(select, &input, &known);
        self.versioned_names(select, &input);
        let asks = self.never(select, &input);
        for subquery in subqueries(select) {
            self.query_columns(&subquery, tables, Some(&input));
        }
        output(select, &input, &known, &asks)
    }

    fn names(&mut self, select: &Select, input: &Scope) {
        for item in &select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                self.names_in(expr, Place::List, select, input);
            }
        }
        if let Some(expr) = &select.selection {
            self.names_in(expr, Place::Where, select, input);
        }
        if let GroupByExpr::Expressions(exprs, _) = &select.group_by {
            exprs.iter().for_each(|expr| self.names_in(expr, Place::Group, select, input));
        }
        for join in select.from.iter().flat_map(|table| &table.joins) {
            use JoinOperator::{Inner, Join, Left, LeftOuter};
            if let Join(JoinConstraint::On(on))
            | Inner(JoinConstraint::On(on))
            | Left(JoinConstraint::On(on))
            | LeftOuter(JoinConstraint::On(on)) = &join.join_operator
            {
                self.names_in(on, Place::Where, select, input);
            }
        }
        for expr in [&select.having, &select.qualify].into_iter().flatten() {
            self.names_in(expr, Place::Qualify, select, input);
        }
        for definition in &select.named_window {
            self.names_in(&definition.1, Place::Window, select, input);
        }
    }

    fn names_in(&mut self, root: &impl Visit, place: Place, select: &Select, input: &Scope) {
        let mut names = Names::default();
        let _ = root.visit(&mut names);
        for parts in names.found {
            self.name(&parts, place, select, input);
        }
    }

    fn name(&mut self, parts: &[Ident], place: Place, select: &Select, input: &Scope) {
        let span = match (parts.first(), parts.last()) {
            (Some(first), Some(last)) => self.ident_span(first).start..self.ident_span(last).end,
            _ => return,
        };
        match parts {
            [name] => {
                let folded = folded(name);
                let alias = aliases(select).any(|(alias, _)| alias == folded);
                let visible = matches!(place, Place::Group | Place::Qualify);
                if input.knows(&folded) || (alias && visible) || (input.open && name.quote_style.is_some()) {
                    return;
                }
                if alias { self.too_early(name, place, span) } else { self.unknown(name, span, input) }
            }
            [table, name] => match input.side(&folded(table)) {
                Some(side) if side.find(&folded(name)).is_none() && !side.open => {
                    self.unknown(name, self.ident_span(name), side);
                }
                None if !input.open => self.unknown_table(parts, span, input),
                _ => {}
            },
            _ if input.open => {}
            _ => self.unknown_table(parts, span, input),
        }
    }

    fn ident_span(&self, name: &Ident) -> Range<usize> {
        self.parsed.source.range(name.span).unwrap_or_else(|| self.parsed.first_token())
    }

    fn too_early(&mut self, name: &Ident, place: Place, span: Range<usize>) {
        let message = format!("`{name}` is not known here: the SELECT list, which defines it, is computed later");
        let error = self.error(codes::MISPLACED, span, message).label("not known yet");
        self.report(error.help(match place {
            Place::Where => "write the expression itself; for a count, use QUALIFY or HAVING, or an outer SELECT",
            _ => "write the expression itself, or define the name in a sub-query: FROM (SELECT *, … AS name FROM …)",
        }));
    }

    fn unknown(&mut self, name: &Ident, span: Range<usize>, input: &Scope) {
        let error =
            self.error(codes::UNKNOWN_COLUMN, span, format!("there is no column `{}`", name.value)).label("unknown");
        let help = help_for(name, input);
        self.report(error.help(help));
    }

    fn unknown_table(&mut self, parts: &[Ident], span: Range<usize>, input: &Scope) {
        let names: Vec<_> = parts.iter().map(|part| part.value.as_str()).collect();
        let written = names.join(".");
        let Some((column, path)) =
            names.split_first().filter(|(first, _)| input.find(first).is_some_and(|known| known.json))
        else {
            let error = self
                .error(codes::UNKNOWN_COLUMN, span, format!("there is no table for `{written}` here"))
                .label("unknown");
            let help = format!("write the column's name alone, or after {}", input.qualifiers.join(" or "));
            return self.report(error.help(if input.qualifiers.is_empty() {
                "write the column's name alone".to_owned()
            } else {
                help
            }));
        };
        let error =
            self.error(codes::UNKNOWN_COLUMN, span, format!("`{column}` is JSON, which is not reached into with dots"));
        self.report(error.help(format!("write {}", json_path(column, path))));
    }

    fn header_keys(&mut self, found: &Scope) {
        let (keys, spans) = (&self.parsed.header.key, &self.parsed.header.key_spans);
        let words = ["OVER", "GROUP"];
        let lexemes = &self.parsed.source.lexemes;
        let stateful = self.sequences > 0 || lexemes.iter().any(|lexeme| words.iter().any(|word| lexeme.is_word(word)));
        if let Some(span) = self.parsed.header.span("key").filter(|_| stateful && !keys.is_empty()) {
            let warning = self
                .error(codes::KEY_UNUSED, span, "`key` has no effect: the keys are those of PARTITION BY, of GROUP BY, or of a sequence's equalities")
                .warning();
            return self.report(warning.help("take `key` out of the header"));
        }
        let missing = keys.iter().zip(spans).filter(|(key, _)| found.find(key).is_none() && !found.open);
        for (key, span) in missing.collect::<Vec<_>>() {
            let error = self.error(
                codes::UNKNOWN_COLUMN,
                span.clone(),
                format!("the SELECT gives no column `{key}`, which is to be a key"),
            );
            let names = found.columns.iter().map(|column| column.name.as_str());
            self.report(error.help(match nearest(key, names) {
                Some(near) => format!("did you mean `{near}`? Or add `{key}` to the SELECT list"),
                None => format!("add `{key}` to the SELECT list"),
            }));
        }
    }
}

/// The names in an expression, not those in its sub-queries.
#[derive(Default)]
struct Names {
    found: Vec<Vec<Ident>>,
    nested: usize,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.nested += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.nested -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            _ if self.nested > 0 => {}
            Expr::Identifier(name) => self.found.push(vec![name.clone()]),
            Expr::CompoundIdentifier(parts) => self.found.push(parts.clone()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The sub-queries of EXISTS in a SELECT's WHERE; not those in them.
fn subqueries(select: &Select) -> Vec<Query> {
    let mut found = Exists::default();
    let _ = select.selection.visit(&mut found);
    found.0
}

#[derive(Default)]
struct Exists(Vec<Query>, usize);

impl Visitor for Exists {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.1 == 0 {
            self.0.push(query.clone());
        }
        self.1 += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.1 -= 1;
        ControlFlow::Continue(())
    }
}

/// The names that the SELECT list defines.
pub(super) fn aliases(select: &Select) -> impl Iterator<Item = (String, &Expr)> {
    select.projection.iter().filter_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } => Some((folded(alias), expr)),
        _ => None,
    })
}

/// The columns of a SELECT's rows.
fn output(select: &Select, input: &Scope, known: &Facts, asks: &Asks) -> Scope {
    let computed = |name: String, expr: &Expr| {
        let column = input.column(expr);
        let asked = match expr {
            Expr::Identifier(name) => asks.get(&folded(name)),
            Expr::CompoundIdentifier(parts) => asks.get(&input.key(parts)),
            _ => asks.get(&alias_key(&name)),
        };
        Known {
            nullable: input.can_be_null(expr, known),
            json: column.is_some_and(|column| column.json),
            of: column.and_then(|column| column.of.clone()),
            asked: asked.cloned(),
            name,
        }
    };
    let mut scope = Scope::default();
    for item in &select.projection {
        match item {
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                let of = wildcard_input(item, input);
                let passed = of.columns.iter().map(|column| Known {
                    nullable: column.nullable && !known.contains(&column.name),
                    asked: asks.get(&column.name).cloned().or_else(|| column.asked.clone()),
                    ..column.clone()
                });
                scope.columns.extend(passed);
                scope.open |= of.open;
            }
            SelectItem::ExprWithAlias { expr, alias } => scope.columns.push(computed(folded(alias), expr)),
            SelectItem::UnnamedExpr(expr) => match expr {
                Expr::Identifier(name) => scope.columns.push(computed(folded(name), expr)),
                Expr::CompoundIdentifier(parts) => {
                    scope.columns.extend(parts.last().map(|name| computed(folded(name), expr)));
                }
                _ => scope.open = true,
            },
            SelectItem::ExprWithAliases { .. } => scope.open = true,
        }
    }
    scope
}

/// Whose columns a wildcard stands for.
fn wildcard_input<'a>(item: &SelectItem, input: &'a Scope) -> &'a Scope {
    let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item else {
        return input;
    };
    let qualifier = name.0.last().and_then(|part| part.as_ident()).map(folded);
    qualifier.and_then(|qualifier| input.side(&qualifier)).unwrap_or(input)
}

/// What stands in [`Asks`] for an expression of the SELECT list.
pub(super) fn alias_key(alias: &str) -> String {
    format!("AS {alias}")
}

/// Names that logs have for what is a column here.
const IN_LOGS: [(&str, &str); 10] = [
    ("sourceipaddress", "source_ip"),
    ("awsregion", "region"),
    ("recipientaccountid", "account_id"),
    ("requestparameters", "request"),
    ("responseelements", "response"),
    ("additionaleventdata", "additional"),
    ("timestamp", "event_time"),
    ("arn", "user_arn"),
    ("username", "user_name"),
    ("ip", "source_ip"),
];

fn help_for(name: &Ident, input: &Scope) -> String {
    let written = &name.value;
    if name.quote_style.is_some() {
        return format!("double quotes are for names; a text is in single quotes: '{written}'");
    }
    let in_logs = IN_LOGS.iter().find(|(log, _)| *log == written.to_lowercase().replace('_', ""));
    let near = in_logs.map(|(_, here)| *here).filter(|here| input.find(here).is_some());
    let near = near.or_else(|| nearest(written, input.columns.iter().map(|column| column.name.as_str())));
    let json = ["request", "record"].into_iter().find(|json| input.find(json).is_some_and(|column| column.json));
    match (near, json) {
        (Some(near), Some(json)) => {
            format!("did you mean `{near}`? What has no column is reached by path: {json} ->> '{written}'")
        }
        (Some(near), None) => format!("did you mean `{near}`?"),
        (None, Some(json)) => format!("what has no column is reached by path: {json} ->> '{written}'"),
        (None, None) => {
            let names: Vec<_> = input.columns.iter().map(|column| column.name.as_str()).take(12).collect();
            format!("the columns here are {}{}", names.join(", "), if input.columns.len() > 12 { ", …" } else { "" })
        }
    }
}

fn json_path(column: &str, path: &[&str]) -> String {
    let mut written = column.to_owned();
    for (index, step) in path.iter().enumerate() {
        written.push_str(if index + 1 == path.len() { " ->> '" } else { " -> '" });
        written.push_str(step);
        written.push('\'');
    }
    written
}
