//! Queries, clauses and tables: what a SELECT may be made of.

use datafusion_sql::sqlparser::ast::{
    Cte, Distinct, GroupByExpr, LimitClause, Query, Select, SelectFlavor, SelectItem, SetExpr, SetOperator,
    SetQuantifier, Spanned, TableAlias, TableFactor, WildcardAdditionalOptions, With,
};

use super::{Checker, Context, Place};
use crate::language::codes;
use crate::language::windows::folded;
use crate::plan::sequence;

impl Checker<'_> {
    pub(super) fn query(&mut self, query: &Query) {
        if let Some(with) = &query.with {
            self.with(with);
        }
        self.order_and_limit(query);
        let foreign = query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some();
        if foreign || !query.locks.is_empty() || !query.pipe_operators.is_empty() {
            let span = self.query_span(query);
            let error = self.error(codes::CLAUSE, span, "a clause after this query is not supported");
            self.report(error.help("end the query with WHERE, HAVING or QUALIFY: take out FOR, FORMAT and SETTINGS"));
        }
        self.body(&query.body, query);
    }

    fn body(&mut self, body: &SetExpr, query: &Query) {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(inner) => self.query(inner),
            SetExpr::SetOperation { op: SetOperator::Union, set_quantifier: SetQuantifier::All, left, right } => {
                self.body(left, query);
                self.body(right, query);
            }
            SetExpr::SetOperation { op, right, .. } => {
                let right = self.parsed.source.range(right.span()).map_or(self.parsed.sql_start, |range| range.start);
                let word = op.to_string();
                let keyword = self.parsed.source.lexemes[..self.parsed.source.index(right)].iter().rev();
                let span = keyword.clone().find(|lexeme| lexeme.is_word(&word)).map(|lexeme| lexeme.range.clone());
                let span = span.unwrap_or_else(|| self.query_span(query));
                let error = if *op == SetOperator::Union {
                    let message =
                        "UNION without ALL compares each row with all before it, and needs memory without end";
                    self.error(codes::JOIN, span, message).help("write UNION ALL")
                } else {
                    let error = self.error(codes::JOIN, span, format!("{word} is not run in this version"));
                    error.help("write a detector for each of the queries, or what must not be there as NOT EXISTS (…)")
                };
                self.report(error.label("two queries"));
            }
            _ => {
                let span = self.query_span(query);
                let error = self.error(codes::NOT_ONE_SELECT, span, "a detector only reads: this is no SELECT");
                self.report(error.help("write one SELECT; each row it returns is a finding"));
            }
        }
    }

    fn with(&mut self, with: &With) {
        if with.recursive {
            let span = self.parsed.source.range(with.with_token.0.span).unwrap_or_else(|| self.parsed.first_token());
            let error = self.error(codes::JOIN, span, "a recursive query over a stream never ends");
            self.report(error.label("RECURSIVE").help("write WITH without RECURSIVE, or a sub-query in FROM"));
            return self.with_names.extend(with.cte_tables.iter().map(|cte| folded(&cte.alias.name)));
        }
        for cte in &with.cte_tables {
            let Cte { alias, query, .. } = cte;
            self.alias(Some(alias));
            self.query(query);
            self.with_names.push(folded(&alias.name));
        }
    }

    fn order_and_limit(&mut self, query: &Query) {
        let words = [
            (query.order_by.is_some(), "ORDER"),
            (
                matches!(
                    &query.limit_clause,
                    Some(LimitClause::LimitOffset { limit: Some(_), .. } | LimitClause::OffsetCommaLimit { .. })
                ),
                "LIMIT",
            ),
            (matches!(&query.limit_clause, Some(LimitClause::LimitOffset { offset: Some(_), .. })), "OFFSET"),
            (query.fetch.is_some(), "FETCH"),
        ];
        let select = match query.body.as_ref() {
            SetExpr::Select(select) => self.select_token(select).start,
            _ => self.query_span(query).start,
        };
        for (_, word) in words.iter().filter(|(given, _)| *given) {
            let span = self.parsed.source.clause(select, word);
            let span = span.or_else(|| self.parsed.source.word(word, select)).unwrap_or_else(|| self.query_span(query));
            let name = if *word == "ORDER" { "ORDER BY" } else { *word };
            let error = self.error(
                codes::ORDER_OR_LIMIT,
                span,
                format!("{name} needs all rows at once, and a stream has no last row"),
            );
            let help = match *word {
                "ORDER" => "take it out: findings come in the order in which they are certain",
                _ => {
                    "take it out: say in WHERE, HAVING or QUALIFY which rows are findings; `suppress` in the header joins repeated ones into one alert"
                }
            };
            self.report(error.label("no end to wait for").help(help));
        }
    }

    fn select(&mut self, select: &Select) {
        self.from(select);
        self.odd_clauses(select);
        match &select.distinct {
            None | Some(Distinct::All) => {}
            Some(Distinct::Distinct | Distinct::On(_)) => {
                let span = self
                    .parsed
                    .source
                    .word("DISTINCT", self.select_token(select).start)
                    .unwrap_or_else(|| self.select_token(select));
                let error =
                    self.error(codes::SELECT_DISTINCT, span, "SELECT DISTINCT over a stream needs memory without end");
                self.report(error.label("every row ever seen").help("take it out and set `suppress` in the header, or find the first of each: QUALIFY first_seen(INTERVAL '1 day') OVER (PARTITION BY …)"));
            }
        }
        for item in &select.projection {
            self.item(item, select);
        }
        let grouped = self.group_by(select);
        self.named_windows(select);
        self.expressions(select, grouped);
    }

    fn odd_clauses(&mut self, select: &Select) {
        let given = [
            (select.top.is_some(), "TOP"),
            (select.into.is_some(), "INTO"),
            (!select.lateral_views.is_empty(), "LATERAL"),
            (select.prewhere.is_some(), "PREWHERE"),
            (!select.connect_by.is_empty(), "CONNECT"),
            (!select.cluster_by.is_empty(), "CLUSTER"),
            (!select.distribute_by.is_empty(), "DISTRIBUTE"),
            (!select.sort_by.is_empty(), "SORT"),
            (select.exclude.is_some(), "EXCLUDE"),
            (select.value_table_mode.is_some() || select.select_modifiers.is_some(), "SELECT"),
            (!select.optimizer_hints.is_empty() || select.flavor != SelectFlavor::Standard, "SELECT"),
        ];
        for (_, word) in given.into_iter().filter(|(given, _)| *given) {
            let token = self.select_token(select);
            let span = self.parsed.source.word(word, token.start).unwrap_or(token);
            let error = self.error(codes::CLAUSE, span, format!("{word} has something with it that is not supported"));
            self.report(error.help("a SELECT here is made of FROM, WHERE, GROUP BY, HAVING, WINDOW and QUALIFY"));
        }
        if select.projection.is_empty() {
            let error = self.error(codes::CLAUSE, self.select_token(select), "nothing is selected");
            self.report(error.help("name the columns that the finding shall show"));
        }
    }

    fn item(&mut self, item: &SelectItem, select: &Select) {
        let refused = match item {
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => false,
            SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => has_options(options),
            SelectItem::ExprWithAliases { .. } => true,
        };
        if refused {
            let span = self.parsed.source.range(item.span()).unwrap_or_else(|| self.select_token(select));
            let error = self.error(
                codes::CLAUSE,
                span,
                "a wildcard with options, or several names for one column, is not supported",
            );
            self.report(error.help("name the columns that you want"));
        }
    }

    fn from(&mut self, select: &Select) {
        let token = self.select_token(select);
        let [table] = select.from.as_slice() else {
            let (span, message) = match select.from.get(1) {
                Some(second) => (
                    self.parsed.source.range(second.span()),
                    "a second table in FROM holds every record against every other",
                ),
                None => (None, "a detector reads a stream, and this SELECT has no FROM"),
            };
            let code = if select.from.is_empty() { codes::CLAUSE } else { codes::JOIN };
            let names: Vec<_> = self.streams.iter().map(|stream| stream.name.as_str()).collect();
            let help = match select.from.len() {
                0 => format!("write FROM and one of {}", names.join(", ")),
                _ => format!("join it: {}", sequence::EXAMPLE),
            };
            let error = self.error(code, span.unwrap_or(token), message);
            self.report(error.help(help));
            return;
        };
        self.factor(&table.relation, select);
        let mut sides = usize::from(!self.reads_table(&table.relation));
        for join in &table.joins {
            let looked_up = self.reads_table(&join.relation);
            sides += usize::from(!looked_up);
            self.join(join, (sides, looked_up), select);
        }
    }

    pub(super) fn factor(&mut self, factor: &TableFactor, select: &Select) {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                self.alias(alias.as_ref());
                self.table(name);
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                self.alias(alias.as_ref());
                self.query(subquery);
            }
            TableFactor::NestedJoin { table_with_joins, alias } if table_with_joins.joins.is_empty() => {
                self.alias(alias.as_ref());
                self.factor(&table_with_joins.relation, select);
            }
            TableFactor::NestedJoin { .. } => {
                let span = self.parsed.source.range(factor.span()).unwrap_or_else(|| self.select_token(select));
                let error = self.error(codes::JOIN, span, "a join in parentheses is not run in this version");
                self.report(
                    error
                        .label("joins two inputs")
                        .help("take the parentheses out: FROM cloudtrail a JOIN cloudtrail b ON …"),
                );
            }
            _ => {
                let span = self.clause(select, "FROM");
                let error = self.error(codes::CLAUSE, span, "a detector reads a stream or a sub-query, nothing else");
                self.report(error.label("no plain table").help("write FROM and a stream's name, or FROM (SELECT …)"));
            }
        }
    }

    fn alias(&mut self, alias: Option<&TableAlias>) {
        let Some(alias) = alias.filter(|alias| !alias.columns.is_empty() || alias.at.is_some()) else { return };
        let span = self.parsed.source.range(alias.span()).unwrap_or_else(|| self.parsed.first_token());
        let error = self.error(codes::CLAUSE, span, "new names for a table's columns are not supported here");
        self.report(error.help("name columns in the sub-query's SELECT: expression AS name"));
    }

    /// Every expression of a SELECT, each where it stands; not those of its sub-queries.
    fn expressions(&mut self, select: &Select, grouped: bool) {
        let context = |place| Context { select, place, grouped };
        for item in &select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                self.expression(expr, context(Place::List));
            }
        }
        if let Some(expr) = &select.selection {
            self.expression(expr, context(Place::Where));
        }
        if let GroupByExpr::Expressions(exprs, _) = &select.group_by {
            exprs.iter().for_each(|expr| self.expression(expr, context(Place::Group)));
        }
        if let Some(expr) = &select.having {
            self.expression(expr, context(Place::Having));
        }
        if let Some(expr) = &select.qualify {
            self.expression(expr, context(Place::Qualify));
        }
        for definition in &select.named_window {
            self.expression(&definition.1, context(Place::Window));
        }
    }
}

fn has_options(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_alias.is_some()
}
