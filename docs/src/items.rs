//! Whole items of Rust files.

use std::ops::Range;

use proc_macro2::Span;
use syn::{ImplItem, Item, spanned::Spanned};

use crate::read;

/// An item, as `source/path/without/extension/name.rs` asks for it.
pub fn make(request: &str) -> Result<String, String> {
    let (file, name) = request
        .strip_suffix(".rs")
        .and_then(|request| request.rsplit_once('/'))
        .ok_or("expected items/PATH/OF/THE/SOURCE/NAME.rs")?;
    let path = format!("{file}.rs");
    let source = read(&path)?;
    let parsed =
        syn::parse_file(&source).map_err(|error| format!("{path}: {error}"))?;

    let mut names = Vec::new();
    let mut found = Vec::new();
    for (candidate, span) in parsed.items.iter().flat_map(named) {
        if candidate == name {
            found.push(lines(span));
        }
        names.push(candidate);
    }
    if found.is_empty() {
        names.dedup();
        let names = names.join(", ");
        return Err(format!("{path} has no `{name}`; it has: {names}"));
    }
    let source: Vec<&str> = source.lines().collect();
    let texts = found.into_iter().map(|lines| text(&source, lines));
    Ok(texts.collect::<Vec<_>>().join("\n"))
}

/// The names by which an item, or what is in it, can be asked for.
fn named(item: &Item) -> Vec<(String, Span)> {
    let span = item.span();
    let name = match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => match &item.ident {
            Some(name) => name.to_string(),
            None => return Vec::new(),
        },
        Item::Mod(item) => {
            let content = item.content.iter().flat_map(|(_, items)| items);
            return content.flat_map(named).collect();
        }
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Use(_) => "use".into(),
        Item::Impl(item) => {
            let syn::Type::Path(of) = &*item.self_ty else {
                return Vec::new();
            };
            let Some(of) = of.path.segments.last() else {
                return Vec::new();
            };
            let of = &of.ident;
            let name = match &item.trait_ {
                Some((path, _)) => match path.segments.last() {
                    Some(of_trait) => format!("impl.{}.{of}", of_trait.ident),
                    None => return Vec::new(),
                },
                None => format!("impl.{of}"),
            };
            let methods = item.items.iter().filter_map(|item| match item {
                ImplItem::Fn(item) => {
                    Some((format!("{of}.{}", item.sig.ident), item.span()))
                }
                _ => None,
            });
            return std::iter::once((name, span)).chain(methods).collect();
        }
        _ => return Vec::new(),
    };
    vec![(name, span)]
}

/// The lines of a span, counted from 0.
fn lines(span: Span) -> Range<usize> {
    span.start().line - 1..span.end().line
}

/// The lines, and the comment just above them, moved to the left margin.
fn text(source: &[&str], mut lines: Range<usize>) -> String {
    let is_comment = |line: &str| {
        let line = line.trim_start();
        line.starts_with("//") && !line.starts_with("//!")
    };
    while lines.start > 0 && is_comment(source[lines.start - 1]) {
        lines.start -= 1;
    }
    let first = source[lines.start];
    let margin = first.len() - first.trim_start().len();
    let lines = source[lines].iter();
    lines
        .map(|line| format!("{}\n", line.get(margin..).unwrap_or("")))
        .collect()
}
