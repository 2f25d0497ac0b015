//! Builders of columns, kept from batch to batch.

use std::mem;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use watchfire_record::interner::NULL_ID;
use watchfire_record::limits::{INTERNED_BYTES, INTERNED_VALUES};
use watchfire_record::{Column, ColumnType, Interner};

/// Values after which a column's variety is judged.
const JUDGED_AFTER: u64 = 4096;
/// Longer texts are not interned: a few of them would fill the interner. Their batch gets a plain column.
const INTERNED_TEXT_BYTES: usize = 4096;

/// Builds one column.
pub(crate) enum Builder {
    Interned(InternedBuilder),
    Text(StringBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Boolean(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    /// A builder of Arrow arrays.
    pub(crate) fn plain(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Text | ColumnType::Json => Self::Text(StringBuilder::new()),
            ColumnType::Integer => Self::Integer(Int64Builder::new()),
            ColumnType::Float => Self::Float(Float64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Time => Self::Time(TimestampMicrosecondBuilder::new()),
        }
    }

    /// A builder of texts that are expected to repeat.
    pub(crate) fn interned() -> Self {
        Self::Interned(InternedBuilder::new(INTERNED_VALUES, INTERNED_BYTES))
    }

    /// Gets ready for a batch of about `rows`.
    pub(crate) fn begin(&mut self, rows: usize) {
        if let Self::Interned(builder) = self {
            builder.begin(rows);
        }
    }

    #[inline]
    pub(crate) fn text(&mut self, value: Option<&str>) {
        match self {
            Self::Interned(builder) => builder.push(value),
            Self::Text(builder) => builder.append_option(value),
            _ => unreachable!("only text and JSON columns are given text"),
        }
    }

    pub(crate) fn integer(&mut self, value: Option<i64>) {
        match self {
            Self::Integer(builder) => builder.append_option(value),
            _ => unreachable!("only integer columns are given integers"),
        }
    }

    pub(crate) fn float(&mut self, value: Option<f64>) {
        match self {
            Self::Float(builder) => builder.append_option(value),
            _ => unreachable!("only float columns are given floats"),
        }
    }

    pub(crate) fn boolean(&mut self, value: Option<bool>) {
        match self {
            Self::Boolean(builder) => builder.append_option(value),
            _ => unreachable!("only boolean columns are given truth values"),
        }
    }

    pub(crate) fn time(&mut self, value: Option<i64>) {
        match self {
            Self::Time(builder) => builder.append_option(value),
            _ => unreachable!("only time columns are given times"),
        }
    }

    /// The column of the batch that ends here.
    pub(crate) fn finish(&mut self) -> Column {
        match self {
            Self::Interned(builder) => builder.finish(),
            other => Column::Plain(other.finish_array()),
        }
    }

    /// As [`Builder::finish`], always an Arrow array.
    pub(crate) fn finish_array(&mut self) -> ArrayRef {
        match self {
            Self::Interned(builder) => builder.finish().to_array(),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Interns texts for as long as that pays.
///
/// A batch holds the interner that its ids mean, so the next batch can add to it in place only if that batch is gone;
/// else it is copied, once a batch and only for a value that is new. A worker that is done with one batch before it
/// decodes the next never copies.
pub(crate) struct InternedBuilder {
    ids: Vec<u32>,
    values: Values,
    /// This batch's texts, where they could not all be interned.
    spilled: Option<StringBuilder>,
    /// For good: the interner is full, or the values do not repeat.
    gave_up: bool,
    /// Texts so far.
    seen: u64,
    max_values: usize,
    max_bytes: usize,
}

enum Values {
    Own(Interner),
    Shared(Arc<Interner>),
}

impl Values {
    fn interner(&self) -> &Interner {
        match self {
            Self::Own(interner) => interner,
            Self::Shared(interner) => interner,
        }
    }

    #[inline]
    fn intern(&mut self, text: &str) -> Option<u32> {
        if let Self::Shared(interner) = self {
            if let Some(id) = interner.find(text) {
                return Some(id);
            }
            *self = Self::Own(Interner::clone(interner));
        }
        match self {
            Self::Own(interner) => interner.intern(text),
            Self::Shared(_) => None,
        }
    }
}

impl InternedBuilder {
    fn new(max_values: usize, max_bytes: usize) -> Self {
        let values = Values::Own(Interner::new(max_values, max_bytes));
        Self { ids: Vec::new(), values, spilled: None, gave_up: false, seen: 0, max_values, max_bytes }
    }

    fn begin(&mut self, rows: usize) {
        if self.gave_up {
            self.spilled = Some(StringBuilder::with_capacity(rows, rows * 16));
            return;
        }
        self.ids.reserve(rows);
        let values = mem::replace(&mut self.values, Values::Own(Interner::new(0, 0)));
        self.values = match values {
            Values::Shared(shared) => Arc::try_unwrap(shared).map_or_else(Values::Shared, Values::Own),
            own => own,
        };
    }

    #[inline]
    fn push(&mut self, value: Option<&str>) {
        if let Some(texts) = &mut self.spilled {
            texts.append_option(value);
            return;
        }
        let Some(text) = value else {
            self.ids.push(NULL_ID);
            return;
        };
        self.seen += 1;
        let id = if text.len() <= INTERNED_TEXT_BYTES { self.values.intern(text) } else { None };
        match id {
            Some(id) => self.ids.push(id),
            None => self.spill(text),
        }
    }

    /// Goes on with plain texts, from `text` on.
    #[cold]
    fn spill(&mut self, text: &str) {
        self.gave_up |= text.len() <= INTERNED_TEXT_BYTES;
        let interner = self.values.interner();
        let mut texts = StringBuilder::with_capacity(self.ids.capacity(), self.ids.capacity() * 16);
        for id in self.ids.drain(..) {
            texts.append_option((id != NULL_ID).then(|| interner.text(id)));
        }
        texts.append_value(text);
        self.spilled = Some(texts);
    }

    fn finish(&mut self) -> Column {
        let distinct = self.values.interner().len() as u64;
        self.gave_up |= self.seen >= JUDGED_AFTER && distinct * 2 > self.seen;
        if let Some(mut texts) = self.spilled.take() {
            if self.gave_up {
                self.values = Values::Own(Interner::new(0, 0));
            }
            return Column::Plain(Arc::new(texts.finish()));
        }
        let empty = Values::Own(Interner::new(self.max_values, self.max_bytes));
        let values = match mem::replace(&mut self.values, empty) {
            Values::Own(interner) => Arc::new(interner),
            Values::Shared(interner) => interner,
        };
        if !self.gave_up {
            self.values = Values::Shared(Arc::clone(&values));
        }
        Column::Interned { ids: mem::take(&mut self.ids), values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(builder: &mut InternedBuilder, texts: &[Option<&str>]) -> Column {
        builder.begin(texts.len());
        texts.iter().for_each(|text| builder.push(*text));
        builder.finish()
    }

    fn texts(column: &Column) -> Vec<Option<String>> {
        let array = column.to_array();
        let array = array.as_any().downcast_ref::<arrow::array::StringArray>().unwrap();
        array.iter().map(|text| text.map(Into::into)).collect()
    }

    fn ids(column: &Column) -> &[u32] {
        match column {
            Column::Interned { ids, .. } => ids,
            Column::Plain(_) => panic!("plain"),
        }
    }

    #[test]
    fn ids_are_stable_whether_or_not_the_last_batch_is_still_held() {
        let mut builder = InternedBuilder::new(100, 1000);
        let first = batch(&mut builder, &[Some("a"), None, Some("b")]);
        let second = batch(&mut builder, &[Some("b"), Some("c")]);
        assert_eq!((ids(&first), ids(&second)), (&[0, NULL_ID, 1][..], &[1, 2][..]));
        drop((first, second));
        let third = batch(&mut builder, &[Some("c"), Some("a")]);
        assert_eq!(ids(&third), &[2, 0]);
        let fourth = batch(&mut builder, &[Some("a")]);
        let (Column::Interned { values: old, .. }, Column::Interned { values: new, .. }) = (&third, &fourth) else {
            panic!("plain")
        };
        assert!(Arc::ptr_eq(old, new), "nothing new, so nothing copied");
    }

    #[test]
    fn a_full_interner_spills_with_nothing_lost() {
        let mut builder = InternedBuilder::new(2, 1000);
        let all = [Some("a"), None, Some("b"), Some("c"), None, Some("a")];
        let expected: Vec<_> = all.iter().map(|text| text.map(String::from)).collect();
        for _ in 0..2 {
            let column = batch(&mut builder, &all);
            assert!(matches!(column, Column::Plain(_)));
            assert_eq!(texts(&column), expected);
        }
    }

    #[test]
    fn a_long_text_costs_only_its_own_batch() {
        let mut builder = InternedBuilder::new(100, 100_000);
        let long = "x".repeat(INTERNED_TEXT_BYTES + 1);
        assert_eq!(ids(&batch(&mut builder, &[Some("a")])), &[0]);
        let column = batch(&mut builder, &[Some("a"), Some(&long)]);
        assert_eq!(texts(&column), [Some("a".into()), Some(long)]);
        assert_eq!(ids(&batch(&mut builder, &[Some("b"), Some("a")])), &[1, 0]);
    }

    #[test]
    fn values_that_do_not_repeat_are_plain_from_then_on() {
        let mut builder = InternedBuilder::new(INTERNED_VALUES, INTERNED_BYTES);
        let unique: Vec<String> = (0..JUDGED_AFTER).map(|n| n.to_string()).collect();
        let unique: Vec<Option<&str>> = unique.iter().map(|text| Some(text.as_str())).collect();
        assert_eq!(ids(&batch(&mut builder, &unique)).len(), unique.len());
        assert!(matches!(batch(&mut builder, &[Some("a")]), Column::Plain(_)));
    }
}
