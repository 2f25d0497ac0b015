//! Warns of what can never fire: values that are not known, conditions that no row can meet.

use datafusion_sql::sqlparser::ast::{Expr, Function, Select};
use datafusion_sql::sqlparser::tokenizer::Token;

use super::asked::Asked;
use super::asking::{Asks, How, Never, Reading, Unknown, quoted};
use super::scope::Scope;
use super::warnings::for_each_call;
use super::{Checker, MOST};
use crate::language::catalogue;
use crate::language::codes;

impl Checker<'_> {
    /// Warns of conditions of a SELECT that never hold; what they ask of its rows.
    pub(super) fn never(&mut self, select: &Select, input: &Scope) -> Asks {
        let mut reading = Reading::new(self, select, input);
        let whole = reading.all();
        let mut filters = Vec::new();
        for_each_call(select, |function| filters.extend(filter(function)));
        reading.counts();
        let before = reading.before.clone();
        for condition in &filters {
            let never = reading.further(condition).err();
            reading.parts.extend(never);
            reading.before.clone_from(&before);
        }
        let (parts, mut unknown) = (reading.parts, reading.unknown);
        if whole.is_ok() {
            unknown.extend(self.calls_of_others(input, &before));
        }
        unknown.truncate(MOST);
        for unknown in unknown {
            let mut without = Reading::new(self, select, input);
            without.without = Some(unknown.span.clone());
            let needed = without.all().is_err();
            self.not_known(&unknown, needed);
        }
        for part in parts {
            self.never_holds(part, "this part of the condition never holds");
        }
        match whole {
            Err(never) => self.never_holds(never, "no row passes this condition"),
            Ok(()) => self.absent_columns(input, &before),
        }
        before
    }

    fn never_holds(&mut self, never: Never, what: &str) {
        let warning = self.error(codes::NEVER, never.span, format!("{what}: {}", never.why)).warning();
        self.report(warning.label("never true").help(never.help));
    }

    fn not_known(&mut self, unknown: &Unknown, needed: bool) {
        let Unknown { text, word, hint, how, of: (stream, column), .. } = unknown;
        let so = match how {
            How::LeftOut => "so that nothing is left out by it",
            How::AmongOthers => "so that, as far as is known, only the others of the list are ever found",
            How::Elsewhere(false) => "so that, as far as is known, only others are ever found",
            How::Elsewhere(true) => "so that, as far as is known, no record passes",
            How::Asked | How::Like if needed => "so that, as far as is known, no record passes",
            How::Asked | How::Like => "so that, as far as is known, this part of the condition never holds",
        };
        let message = match how {
            How::Like => format!("no {word} that is known here is like '{text}', {so}"),
            _ => format!("'{text}' is no {word} that is known here, {so}"),
        };
        let add = if column.contains("->>") || matches!(how, How::Like | How::Elsewhere(_)) {
            String::new()
        } else {
            format!(
                "if the log has it all the same, set streams.{stream}.known.{column} = [\"{text}\"], or give records that have it to --seen"
            )
        };
        let help = match hint {
            Some(hint) if add.is_empty() => hint.clone(),
            Some(hint) if hint.ends_with('?') => format!("{hint} If{}", add.trim_start_matches("if")),
            Some(hint) => format!("{hint}; {add}"),
            None => add,
        };
        let help = if help.is_empty() { "look at how the log writes it".to_owned() } else { help };
        let warning = self.error(codes::UNKNOWN_VALUE, unknown.span.clone(), message).warning();
        self.report(warning.label("not known here").help(help));
    }

    /// Calls that are asked for of a service that has none of that name.
    fn calls_of_others(&self, input: &Scope, asks: &Asks) -> Vec<Unknown> {
        let mut unknown = Vec::new();
        for (key, asked) in asks {
            let Some(side) = key.strip_suffix("event_source") else { continue };
            let is_source = input.of_key(key).is_some_and(|(_, column)| column == "event_source");
            let Some(sources) = asked.texts().filter(|_| is_source) else { continue };
            for column in ["event_name", "action"] {
                let key = format!("{side}{column}");
                let Some(names) = asks.get(&key).and_then(Asked::texts) else { continue };
                let Some(of) = input.of_key(&key) else { continue };
                let Some(values) = self.streams.iter().find(|s| s.name == of.0).and_then(|s| catalogue::of(s, column))
                else {
                    continue;
                };
                let strange = |name: &&String| {
                    values.is_built_in(name) && catalogue::services_have(&sources, name) == Some(false)
                };
                let all = names.iter().all(|name| strange(&name));
                for name in names.iter().filter(strange) {
                    let Some(span) = self.literal_of(name) else { continue };
                    unknown.push(Unknown {
                        span,
                        text: name.clone(),
                        word: "event name of this event source",
                        hint: catalogue::service_of(name).map(|service| format!("it is one of {service}")),
                        how: How::Elsewhere(all),
                        of: of.clone(),
                    });
                }
            }
        }
        unknown
    }

    /// The bytes of the first literal that is this text.
    fn literal_of(&self, text: &str) -> Option<std::ops::Range<usize>> {
        let is = |token: &Token| matches!(token, Token::SingleQuotedString(literal) if literal == text);
        self.parsed.source.lexemes.iter().find(|lexeme| is(&lexeme.token)).map(|lexeme| lexeme.range.clone())
    }

    /// Columns that are asked to have a value, where they have none in the records asked for.
    fn absent_columns(&mut self, input: &Scope, asks: &Asks) {
        for (key, _) in asks.iter().filter(|(_, asked)| asked.is_present()) {
            let Some((stream, column)) = input.of_key(key) else { continue };
            let Some(definition) = self.streams.iter().find(|known| known.name == stream) else { continue };
            let Some((other, values)) = catalogue::only_with(definition.format, &column) else { continue };
            let other_key = format!("{}{other}", key.strip_suffix(column.as_str()).unwrap_or_default());
            let Some(texts) = asks.get(&other_key).and_then(Asked::texts) else { continue };
            let Some(known) = catalogue::of(definition, other) else { continue };
            if texts.is_empty() || texts.iter().any(|text| values.contains(&text.as_str()) || !known.has(text)) {
                continue;
            }
            let span = self.name_of(&column).unwrap_or_else(|| self.parsed.first_token());
            let few: Vec<&str> = values.iter().copied().take(4).collect();
            let warning = self.error(
                codes::NEVER,
                span,
                format!(
                    "no row passes this condition: {} is always NULL in records with this {}",
                    quoted(key),
                    quoted(other)
                ),
            );
            let help = format!("it has a value where {other} is {}", few.join(", "));
            self.report(warning.warning().label("always NULL here").help(help));
        }
    }

    /// The bytes of a column's name after the last WHERE.
    fn name_of(&self, column: &str) -> Option<std::ops::Range<usize>> {
        let lexemes = &self.parsed.source.lexemes;
        let start = lexemes.iter().rposition(|lexeme| lexeme.is_word("WHERE")).unwrap_or(0);
        lexemes[start..].iter().find(|lexeme| lexeme.is_word(column)).map(|lexeme| lexeme.range.clone())
    }
}

fn filter(function: &Function) -> Option<Expr> {
    function.filter.as_ref().map(|filter| filter.as_ref().clone())
}
