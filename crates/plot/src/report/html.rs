//! Text and tables as HTML. All text from records passes through [`escape`].

use crate::table::Grid;
use std::fmt::Write;

/// Text with its markup escaped.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

/// A table whose columns sort when their headers are clicked.
pub(super) fn table(grid: &Grid) -> String {
    let mut text = "<div class=\"scroll\"><table class=\"sortable\">".to_string();
    if !grid.caption.is_empty() {
        let _ = write!(text, "<caption>{}</caption>", escape(&grid.caption));
    }
    text += "<thead><tr>";
    for name in &grid.header {
        let _ = write!(
            text,
            "<th scope=\"col\"><button type=\"button\">{}</button></th>",
            escape(name)
        );
    }
    text += "</tr></thead><tbody>\n";
    for row in &grid.rows {
        text += "<tr>";
        for cell in row {
            let value = cell
                .value
                .map_or_else(String::new, |v| format!(" class=\"number\" data-value=\"{v}\""));
            let said = escape(&cell.text);
            let said = if cell.best { format!("<b>{said}</b>") } else { said };
            let _ = write!(text, "<td{value}>{said}</td>");
        }
        text += "</tr>\n";
    }
    text + "</tbody></table></div>\n"
}

/// A section with a heading that can be linked to.
pub(super) fn section(id: &str, title: &str, body: &str) -> String {
    format!("<section id=\"{id}\"><h2>{}</h2>\n{body}</section>\n", escape(title))
}

/// A paragraph.
pub(super) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escape(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Cell;

    #[test]
    fn markup_in_text_stays_text() {
        let mut grid = Grid::new("<b>", &["<i>"]);
        grid.rows.push(vec![Cell::text("</td><script>alert('x')</script>")]);
        let text = table(&grid);
        assert!(
            !text.contains("<script") && !text.contains("<b>") && !text.contains("<i>"),
            "{text}"
        );
        assert_eq!(escape("a\"&'"), "a&quot;&amp;&#39;");
    }
}
