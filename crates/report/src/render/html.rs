//! Any document as a page without scripts and without requests; forecasts have one of their own
//! with pictures of their figures ([`crate::html`]).

use flopcast_core::diagnostic::Result;
use maud::{Markup, PreEscaped, html};

use crate::doc::{Block, Doc, Grid, Kind};
use crate::html as page;
use crate::text::visible;

/// The document in the template.
///
/// # Errors
/// If the template has no place for the content.
pub fn page(doc: &Doc, template: &str) -> Result<String> {
    let title = doc.title.as_deref().unwrap_or("flopcast");
    let content = html! {
        header {
            h1 { (visible(title)) }
            p .quiet { "By flopcast " (env!("CARGO_PKG_VERSION")) }
        }
        main #content { (blocks(&doc.blocks)) }
    };
    page::filled(template, title, &content)
}

/// The blocks, from top to bottom.
fn blocks(blocks: &[Block]) -> Markup {
    html! { @for block in blocks { (self::block(block)) } }
}

/// One block as markup; texts are escaped by the template language.
fn block(block: &Block) -> Markup {
    match block {
        Block::Title(text) => html! { h2 { (visible(text)) } },
        Block::Section(text) => html! { h2 { (visible(text)) } },
        Block::Subsection(text) => html! { h3 { (visible(text)) } },
        Block::Caption(text) | Block::Text(text) => html! { p { (visible(text)) } },
        Block::Lead { name, text } => {
            html! { p { strong { (visible(name)) } " " (visible(text)) } }
        }
        Block::List(items) | Block::Warnings(items) => {
            html! { ul { @for item in items { li { (visible(item)) } } } }
        }
        Block::Facts(facts) => html! {
            ul { @for (label, says) in facts { li { (visible(label)) ": " (visible(says)) } } }
        },
        Block::Grid(grid) => table(grid, ""),
        Block::Lines(lines) => html! { pre { @for line in lines { (visible(line)) "\n" } } },
        Block::Picture { svg, .. } => html! { figure { (PreEscaped(svg)) } },
        Block::Details { summary, blocks } => html! {
            details { summary { (visible(summary)) } (self::blocks(blocks)) }
        },
        Block::Legend(_) | Block::Tag(_) => html! {},
        Block::Next => html! { hr; },
    }
}

/// A grid under a caption; its first column are the names of its rows.
pub(crate) fn table(grid: &Grid, caption: &str) -> Markup {
    let class = |kind: Kind| match kind {
        Kind::Words | Kind::Prose => None,
        Kind::Numbers | Kind::Quantities => Some("num"),
    };
    let headed = grid.columns.iter().any(|column| !column.heading.is_empty());
    let label = if caption.is_empty() { "Table" } else { caption };
    html! {
        div .scroll tabindex="0" role="region" aria-label=(visible(label)) { table {
            @if !caption.is_empty() { caption { (visible(caption)) } }
            @if headed { thead { tr { @for column in &grid.columns {
                th scope="col" class=[class(column.kind)] { (visible(&column.heading)) }
            } } } }
            tbody { @for row in &grid.rows { tr {
                @for (at, (cell, column)) in row.iter().zip(&grid.columns).enumerate() {
                    @let text = visible(cell.people().trim());
                    @if at == 0 { th scope="row" class=[class(column.kind)] { (text) } }
                    @else { td class=[class(column.kind)] { (text) } }
                }
            } } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::Column;

    #[test]
    fn a_hostile_text_is_no_markup() {
        let hostile = "<script>x</script>\u{1b}";
        let mut doc = Doc::titled(hostile);
        let mut grid = Grid::new([Column::words(hostile)]);
        grid.push([hostile.into()]);
        doc.blocks = vec![Block::Grid(grid), Block::List(vec![hostile.into()])];
        let page = super::page(&doc, page::TEMPLATE).unwrap();
        assert!(!page.contains("<script>") && !page.contains('\u{1b}'), "{page}");
        assert!(page.contains("&lt;script&gt;x&lt;/script&gt;\\u{1b}"), "{page}");
    }
}
