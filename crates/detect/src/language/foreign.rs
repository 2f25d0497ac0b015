//! Forms of other streaming engines, told by their tokens, since they cannot all be parsed.

use datafusion_sql::sqlparser::tokenizer::Token;

use super::codes;
use super::diagnostic::Diagnostic;
use super::parse::Sql;
use super::source::{Lexeme, Source};

/// Refuses window table functions, `MATCH_RECOGNIZE`, `EMIT` and as-of joins, each translated.
pub(super) fn refuse(sql: &Sql<'_>, source: &Source) -> Result<(), Box<Diagnostic>> {
    for (index, lexeme) in source.lexemes.iter().enumerate() {
        let next = source.lexemes.get(index + 1);
        let before = index.checked_sub(1).map(|before| &source.lexemes[before]);
        let opens = next.is_some_and(|next| next.token == Token::LParen);
        if opens && is_window_table(lexeme, before, source.lexemes.get(index + 2)) {
            return Err(window_table(sql, source, lexeme).into());
        }
        if opens && lexeme.is_word("MATCH_RECOGNIZE") {
            let error = sql.error(codes::FOREIGN_FORM, lexeme.range.clone(), "MATCH_RECOGNIZE is not supported");
            return Err(error.label("a sequence").help("sequences are not run in this version; count what belongs together in a sliding range: count(*) FILTER (WHERE …) OVER (PARTITION BY … ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING)").into());
        }
        if lexeme.is_word("EMIT")
            && next.is_some_and(|next| ["CHANGES", "FINAL", "AFTER", "ON"].iter().any(|w| next.is_word(w)))
        {
            let error = sql.error(
                codes::FOREIGN_FORM,
                lexeme.range.start..source.end,
                "EMIT is not supported: when a finding fires follows from the query",
            );
            return Err(error
                .help("take the EMIT clause out: a finding fires as soon as it can only stay true")
                .into());
        }
        if lexeme.is_word("ASOF") && next.is_some_and(|next| next.is_word("JOIN")) {
            let error = sql.error(codes::JOIN, lexeme.range.clone(), "ASOF JOIN is not supported");
            return Err(error.help("write the detector over one stream").into());
        }
    }
    Ok(())
}

/// `TUMBLE(TABLE t, …)` anywhere, or `TUMBLE(t, …)` where a table stands.
fn is_window_table(name: &Lexeme, before: Option<&Lexeme>, first: Option<&Lexeme>) -> bool {
    let named = ["TUMBLE", "HOP", "CUMULATE", "SESSION"].iter().any(|word| name.is_word(word));
    let of_table = first.is_some_and(|first| first.is_word("TABLE") || first.is_word("DATA"));
    let as_table = before.is_some_and(|before| before.is_word("FROM") || before.is_word("JOIN"));
    named && (of_table || as_table)
}

fn window_table(sql: &Sql<'_>, source: &Source, name: &Lexeme) -> Diagnostic {
    let call = source.call(name.range.start);
    let inside = &source.lexemes[source.index(call.start)..source.index(call.end)];
    let mut literals = inside.iter().filter(|lexeme| matches!(lexeme.token, Token::SingleQuotedString(_)));
    let size = literals.next_back().map_or("'5 minutes'".to_owned(), |literal| interval_text(sql, source, literal));
    let word = &sql.text[name.range.clone()];
    let error = sql.error(codes::FOREIGN_FORM, call, format!("`{word}` over a table is another engine's form"));
    let help = match word.to_ascii_uppercase().as_str() {
        "TUMBLE" => format!("select from the stream itself and write GROUP BY tumble(event_time, INTERVAL {size}), …"),
        _ => "select from the stream itself and count in a sliding range: count(*) OVER (PARTITION BY … ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING), or GROUP BY tumble(event_time, INTERVAL '5 minutes'), …".to_owned(),
    };
    error.label("a window table function").help(help)
}

/// An interval's literal with its unit inside the quotation marks: `'5' MINUTES` becomes `'5 minutes'`.
fn interval_text(sql: &Sql<'_>, source: &Source, literal: &Lexeme) -> String {
    let text = &sql.text[literal.range.clone()];
    match source.lexemes.get(source.index(literal.range.end)) {
        Some(unit) if matches!(unit.token, Token::Word(_)) => {
            format!("{} {}'", text.trim_end_matches('\''), sql.text[unit.range.clone()].to_lowercase())
        }
        _ => text.to_owned(),
    }
}
