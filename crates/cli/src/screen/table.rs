//! Columns of text, aligned.

use unicode_width::UnicodeWidthStr;

/// Rows with their columns aligned, two blanks between them. The last column is as long as it is.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// How wide each column is.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        widths
    }

    /// One line a row, each ended by a newline.
    pub fn lines(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width - cell.width() + 2));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Columns of the widest row.
    pub fn width(&self) -> usize {
        self.lines().lines().map(UnicodeWidthStr::width).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let mut table = Table::default();
        table.row(["a".into(), "日本".into(), "x".into()]);
        table.row(["long".into(), "b".into(), String::new()]);
        assert_eq!(table.lines(), "a     日本  x\nlong  b\n");
        assert_eq!(table.width(), 13);
    }
}
