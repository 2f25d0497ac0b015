//! OVER clauses with the named windows they refer to put in.

use datafusion_sql::sqlparser::ast::{Function, Ident, NamedWindowDefinition, NamedWindowExpr, WindowSpec, WindowType};

/// Why a named window cannot be put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// No window of this name is defined.
    Unknown(Ident),
    /// The window refers to itself.
    Circular(Ident),
    /// The window has this clause already, or an OVER clause adds a PARTITION BY to it.
    Changed(Ident, &'static str),
}

/// How many windows may be built one on the other.
const DEPTH: usize = 32;

/// The OVER clause without names; `windows` are those that its SELECT defines.
///
/// # Errors
/// If a name is unknown, or a clause would be given twice.
pub(super) fn resolve(over: &WindowType, windows: &[NamedWindowDefinition]) -> Result<WindowSpec, Problem> {
    match over {
        WindowType::NamedWindow(name) => named(name, windows, 0),
        WindowType::WindowSpec(spec) => fill(spec, windows, 0),
    }
}

fn named(name: &Ident, windows: &[NamedWindowDefinition], depth: usize) -> Result<WindowSpec, Problem> {
    if depth > DEPTH {
        return Err(Problem::Circular(name.clone()));
    }
    let definition = windows.iter().find(|definition| same(&definition.0, name));
    match definition.map(|definition| &definition.1) {
        Some(NamedWindowExpr::NamedWindow(other)) => named(other, windows, depth + 1),
        Some(NamedWindowExpr::WindowSpec(spec)) => fill(spec, windows, depth + 1),
        None => Err(Problem::Unknown(name.clone())),
    }
}

fn fill(spec: &WindowSpec, windows: &[NamedWindowDefinition], depth: usize) -> Result<WindowSpec, Problem> {
    let Some(name) = &spec.window_name else { return Ok(spec.clone()) };
    let base = named(name, windows, depth)?;
    let twice = |clause| Err(Problem::Changed(name.clone(), clause));
    if !spec.partition_by.is_empty() {
        return twice("PARTITION BY");
    }
    if !spec.order_by.is_empty() && !base.order_by.is_empty() {
        return twice("ORDER BY");
    }
    if spec.window_frame.is_some() && base.window_frame.is_some() {
        return twice("RANGE");
    }
    let order_by = if spec.order_by.is_empty() { base.order_by } else { spec.order_by.clone() };
    let window_frame = spec.window_frame.clone().or(base.window_frame);
    Ok(WindowSpec { window_name: None, partition_by: base.partition_by, order_by, window_frame })
}

/// Whether two names are one in SQL: without quotation marks, case does not matter.
pub(super) fn same(a: &Ident, b: &Ident) -> bool {
    folded(a) == folded(b)
}

/// A name as it is looked up: in lower case unless it is quoted.
pub(super) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// Whether a call is of the function of this name.
pub(super) fn is_call_of(function: &Function, wanted: &str) -> bool {
    match function.name.0.as_slice() {
        [part] => part.as_ident().is_some_and(|name| folded(name) == wanted),
        _ => false,
    }
}
