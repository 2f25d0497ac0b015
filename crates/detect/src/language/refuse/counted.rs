//! Between what a count lies by its nature.

use datafusion_sql::sqlparser::ast::{Expr, Function, FunctionArguments, GroupByExpr};

use super::asked::Asked;
use super::asking::{Reading, quoted};
use super::group::meaning;
use super::over::arguments;
use crate::language::windows::{self, folded, is_call_of};

impl Reading<'_, '_> {
    /// Between what a number lies by its nature, and why.
    pub fn natural(&self, operand: &Expr) -> (Asked, String) {
        let none = || (Asked::default(), "there is no number between these".to_owned());
        let meant = match operand {
            Expr::Nested(inner) => return self.natural(inner),
            Expr::Identifier(name) if self.input.find(&folded(name)).is_none() => meaning(operand, self.select),
            _ => operand,
        };
        let Expr::Function(function) = meant else { return none() };
        if !is_call_of(function, "count") {
            return none();
        }
        let from_zero = Asked::at_least(0.0, true);
        let at_most = self.at_most(function);
        let bounded = at_most.and_then(|(most, why)| Some((from_zero.clone().and(Asked::at_most(most, true))?, why)));
        bounded.unwrap_or_else(|| (from_zero, "a count is never below 0".to_owned()))
    }

    /// How many different values a count can have at most, and why.
    fn at_most(&self, function: &Function) -> Option<(f64, String)> {
        let FunctionArguments::List(list) = &function.args else { return None };
        let distinct = list.duplicate_treatment.is_some_and(|treatment| treatment.to_string() == "DISTINCT");
        let [argument] = arguments(function)[..] else { return None };
        if !distinct {
            return None;
        }
        let key = self.key(argument);
        let keys: Vec<Expr> = match (&function.over, &self.select.group_by) {
            (Some(over), _) => windows::resolve(over, &self.select.named_window).ok()?.partition_by,
            (None, GroupByExpr::Expressions(exprs, _)) => {
                exprs.iter().map(|expr| meaning(expr, self.select).clone()).collect()
            }
            _ => Vec::new(),
        };
        if keys.iter().any(|one| self.key(one) == key) {
            let key = quoted(&key);
            return Some((
                1.0,
                format!("all records of a group have one value of its key {key}: this count is never above 1"),
            ));
        }
        let texts = self.before.get(&key)?.texts()?;
        let why = format!(
            "the WHERE lets {} different values of {} pass: this count is never above it",
            texts.len(),
            quoted(&key)
        );
        Some((texts.len() as f64, why))
    }
}
