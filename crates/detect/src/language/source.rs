//! The SQL of a file as tokens with their bytes, to point at things for which the syntax tree keeps no place.

use std::ops::Range;

use datafusion_sql::sqlparser::ast::{Expr, Spanned};
use datafusion_sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion_sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

/// A token that is no blank and no comment.
#[derive(Debug, Clone)]
pub(super) struct Lexeme {
    pub token: Token,
    /// The bytes of the file.
    pub range: Range<usize>,
    start: Location,
    end: Location,
}

impl Lexeme {
    /// Whether it is this word, not quoted, in whatever case.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }
}

/// The tokens of a detector's SQL, in order.
#[derive(Debug, Clone)]
pub struct Source {
    pub(super) lexemes: Vec<Lexeme>,
    /// Where the last token ends.
    pub(super) end: usize,
}

/// Words that start a clause of a SELECT, or end it.
const CLAUSES: [&str; 15] = [
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "QUALIFY",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "FOR",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "SELECT",
];

impl Source {
    /// The tokens of `text` from `sql_start` on, also as the parser wants them.
    ///
    /// # Errors
    /// The tokenizer's message, and the byte where it stopped.
    pub(super) fn read(text: &str, sql_start: usize) -> Result<(Self, Vec<TokenWithSpan>), (String, usize)> {
        let mut tokens = Vec::new();
        let outcome =
            Tokenizer::new(&PostgreSqlDialect {}, &text[sql_start..]).tokenize_with_location_into_buf(&mut tokens);
        let mut walk = Walk { rest: &text[sql_start..], offset: sql_start, location: Location::new(1, 1) };
        let mut lexemes = Vec::with_capacity(tokens.len() / 2);
        for TokenWithSpan { token, span } in &tokens {
            let range = walk.to(span.start)..walk.to(span.end);
            if !matches!(token, Token::Whitespace(_)) {
                lexemes.push(Lexeme { token: token.clone(), range, start: span.start, end: span.end });
            }
        }
        match outcome {
            Ok(()) => {
                let end = lexemes.last().map_or(sql_start, |lexeme| lexeme.range.end);
                Ok((Self { lexemes, end }, tokens))
            }
            Err(error) => Err((error.message, walk.to(error.location))),
        }
    }

    /// The bytes of a span; `None` if the syntax tree keeps none.
    pub(super) fn range(&self, span: Span) -> Option<Range<usize>> {
        if span.start.line == 0 {
            return None;
        }
        let first = self.lexemes.partition_point(|lexeme| lexeme.start < span.start);
        let last = self.lexemes.partition_point(|lexeme| lexeme.end < span.end);
        let start = self.lexemes.get(first).map_or(self.end, |lexeme| lexeme.range.start);
        let end = self.lexemes.get(last).map_or(self.end, |lexeme| lexeme.range.end);
        Some(start..end.max(start))
    }

    /// The bytes of an expression, parentheses closed; `None` if the syntax tree keeps no place for it.
    pub(super) fn expression(&self, expr: &Expr) -> Option<Range<usize>> {
        match expr {
            Expr::Function(function) => self.range(function.name.span()).map(|name| self.call(name.start)),
            Expr::UnaryOp { expr: operand, .. } => {
                let range = self.expression(operand)?;
                let operator = self.before(range.start).map_or(range.start, |lexeme| lexeme.range.start);
                Some(operator..range.end)
            }
            _ => self.range(expr.span()).map(|range| self.balanced(range)),
        }
    }

    /// From the name at `start` to the parenthesis that ends its arguments, or the name alone if it has none.
    pub(super) fn call(&self, start: usize) -> Range<usize> {
        let mut at = self.index(start);
        let name_end = self.lexemes.get(at).map_or(start, |lexeme| lexeme.range.end);
        at += 1;
        if self.lexemes.get(at).is_none_or(|lexeme| lexeme.token != Token::LParen) {
            return start..name_end;
        }
        self.balanced(start..self.lexemes[at].range.end)
    }

    /// The range, longer by as much as its open parentheses need to be closed.
    fn balanced(&self, range: Range<usize>) -> Range<usize> {
        let mut depth = 0_usize;
        let mut end = range.end;
        for lexeme in &self.lexemes[self.index(range.start)..] {
            if lexeme.range.start >= range.end && depth == 0 {
                break;
            }
            match lexeme.token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 0 => break,
                Token::RParen => depth -= 1,
                _ => {}
            }
            end = end.max(lexeme.range.end);
        }
        range.start..end
    }

    /// The bytes of a clause of the SELECT whose first token is at `select`: from its keyword to the next clause.
    pub(super) fn clause(&self, select: usize, keyword: &str) -> Option<Range<usize>> {
        let mut depth = 0_usize;
        let mut found: Option<Range<usize>> = None;
        for lexeme in self.lexemes[self.index(select)..].iter().skip(1) {
            match lexeme.token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 0 => break,
                Token::RParen => depth -= 1,
                Token::SemiColon => break,
                _ => {}
            }
            if depth == 0 && found.is_some() && CLAUSES.iter().any(|clause| lexeme.is_word(clause)) {
                break;
            }
            if depth == 0 && found.is_none() && lexeme.is_word(keyword) {
                found = Some(lexeme.range.clone());
            }
            if let Some(range) = &mut found {
                range.end = lexeme.range.end;
            }
        }
        found
    }

    /// The first occurrence of a word, not quoted, at or after `from`.
    pub(super) fn word(&self, word: &str, from: usize) -> Option<Range<usize>> {
        self.lexemes[self.index(from)..].iter().find(|lexeme| lexeme.is_word(word)).map(|lexeme| lexeme.range.clone())
    }

    /// The token before the byte `at`.
    pub(super) fn before(&self, at: usize) -> Option<&Lexeme> {
        self.index(at).checked_sub(1).and_then(|before| self.lexemes.get(before))
    }

    /// The index of the first token that starts at or after a byte.
    pub(super) fn index(&self, at: usize) -> usize {
        self.lexemes.partition_point(|lexeme| lexeme.range.start < at)
    }
}

/// A walk through the text that turns the tokenizer's lines and columns into bytes.
struct Walk<'a> {
    rest: &'a str,
    offset: usize,
    location: Location,
}

impl Walk<'_> {
    /// The byte at a location, which must not lie before the one asked for last.
    fn to(&mut self, location: Location) -> usize {
        while self.location < location {
            let Some(c) = self.rest.chars().next() else { break };
            self.rest = &self.rest[c.len_utf8()..];
            self.offset += c.len_utf8();
            self.location = match c {
                '\n' => Location::new(self.location.line + 1, 1),
                _ => Location::new(self.location.line, self.location.column + 1),
            };
        }
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lie_where_the_text_has_them() {
        let text = "/* é */ SELECT\tname,\r\n 'é日' -- x\n , count(*) FILTER (WHERE (a)) FROM \"T\"";
        let (source, _) = Source::read(text, text.find("SELECT").unwrap()).unwrap();
        let texts: Vec<_> = source.lexemes.iter().map(|lexeme| &text[lexeme.range.clone()]).collect();
        let expected = "SELECT name , 'é日' , count ( * ) FILTER ( WHERE ( a ) ) FROM \"T\"";
        assert_eq!(texts.join(" "), expected);
        assert_eq!(&text[source.call(text.find("count").unwrap())], "count(*)");
        assert_eq!(&text[source.clause(text.find("SELECT").unwrap(), "FROM").unwrap()], "FROM \"T\"");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_read_out_of_bounds(text in "[a-z0-9'\"()*/ ,;é日\\r\\n\\-$]{0,40}") {
            match Source::read(&text, 0) {
                Ok((source, _)) => for lexeme in &source.lexemes {
                    proptest::prop_assert!(text.get(lexeme.range.clone()).is_some_and(|t| !t.is_empty()));
                },
                Err((_, at)) => proptest::prop_assert!(text.is_char_boundary(at)),
            }
        }
    }
}
