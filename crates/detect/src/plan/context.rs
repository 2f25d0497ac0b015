//! What SQL planning may see: the streams as tables, the functions, the operators.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use watchfire_record::Stream;

use super::look_up::LookUpTable;
use super::{aggregates, functions};
use crate::tables::Table;

/// The tables and functions that detectors are planned against. One for all detectors.
pub struct PlanningContext {
    tables: HashMap<String, Arc<dyn TableSource>>,
    scalar: HashMap<String, Arc<ScalarUDF>>,
    aggregate: HashMap<String, Arc<AggregateUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl PlanningContext {
    /// A context in which each stream is a table, and each of these tables.
    #[must_use]
    pub fn new(streams: &[Stream], tables: &[Arc<Table>]) -> Self {
        let looked_up = |table: &Arc<Table>| {
            let source = LookUpTable::new(Arc::clone(table));
            (table.definition().name.clone(), Arc::new(source) as Arc<dyn TableSource>)
        };
        let table = |stream: &Stream| {
            let source = datafusion_expr::logical_plan::builder::LogicalTableSource::new(Arc::new(stream.schema()));
            (stream.name.clone(), Arc::new(source) as Arc<dyn TableSource>)
        };
        let mut scalar = HashMap::new();
        let all = datafusion_functions::all_default_functions();
        let all = all.into_iter().chain(datafusion_functions_nested::all_default_nested_functions());
        for function in all.chain(functions::all()) {
            for alias in function.aliases() {
                scalar.insert(alias.clone(), Arc::clone(&function));
            }
            scalar.insert(function.name().to_owned(), function);
        }
        let aggregates = datafusion_functions_aggregate::all_default_aggregate_functions();
        // Ours take the place of those of the same name.
        let aggregates = aggregates.into_iter().chain(aggregates::all());
        Self {
            tables: streams.iter().map(table).chain(tables.iter().map(looked_up)).collect(),
            scalar,
            aggregate: aggregates.map(|f| (f.name().to_owned(), f)).collect(),
            planners: planners(),
            options: ConfigOptions::new(),
        }
    }
}

/// What operators and special forms of SQL become: ours first, then DataFusion's own.
fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![
        Arc::new(functions::JsonPlanner::default()),
        Arc::new(datafusion_functions::core::planner::CoreFunctionPlanner::default()),
        Arc::new(datafusion_functions_nested::planner::NestedFunctionPlanner),
        Arc::new(datafusion_functions_nested::planner::FieldAccessPlanner),
        Arc::new(datafusion_functions::datetime::planner::DatetimeFunctionPlanner),
        Arc::new(datafusion_functions::unicode::planner::UnicodeFunctionPlanner),
        Arc::new(datafusion_functions_aggregate::planner::AggregateFunctionPlanner),
        Arc::new(datafusion_functions_window::planner::WindowFunctionPlanner),
    ]
}

impl ContextProvider for PlanningContext {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match self.tables.get(name.table()) {
            Some(table) => Ok(Arc::clone(table)),
            None => plan_err!("table '{}' not found", name.table()),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalar.get(name).cloned()
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregate.get(name).cloned()
    }

    /// None: the only functions over a range are aggregates.
    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.scalar.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregate.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
