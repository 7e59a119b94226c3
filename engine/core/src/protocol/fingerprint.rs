//! What stands for the content of an item, or for the part of it that counts.

use crate::template::{Path, fingerprint as of_all};
use serde_json::Value as Document;

/// 32 hexadecimal digits over what stands at `of`, or, if that is empty, over everything but what stands at `ignore`.
pub fn fingerprint(item: &Document, of: &[Path], ignore: &[Path]) -> String {
    if !of.is_empty() {
        let parts = of.iter().map(|path| {
            let found = path.all(item).into_iter().cloned();
            found.collect::<Document>()
        });
        return of_all(&parts.collect());
    }
    if ignore.is_empty() {
        return of_all(item);
    }
    let ignored: Vec<&Document> = ignore.iter().flat_map(|path| path.all(item)).collect();
    of_all(&without(item, &ignored))
}

/// The document without these parts of it, told by where they stand in memory.
fn without(document: &Document, ignored: &[&Document]) -> Document {
    if ignored.iter().any(|one| std::ptr::eq(*one, document)) {
        return Document::Null;
    }
    match document {
        Document::Object(members) => {
            let kept = members
                .iter()
                .filter(|(_, value)| !ignored.iter().any(|one| std::ptr::eq(*one, *value)))
                .map(|(name, value)| (name.clone(), without(value, ignored)));
            Document::Object(kept.collect())
        }
        Document::Array(items) => items.iter().map(|item| without(item, ignored)).collect(),
        Document::Null | Document::Bool(_) | Document::Number(_) | Document::String(_) => {
            document.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_counts_changes_it() {
        let one = json!({ "id": "W1", "name": { "given": "Dana" }, "links": [{ "href": "a" }] });
        let mut other = one.clone();
        other["links"] = json!([]);
        let path = |text: &str| vec![Path::compile(text).unwrap()];
        assert_ne!(fingerprint(&one, &[], &[]), fingerprint(&other, &[], &[]));
        let ignore = path("$.links");
        assert_eq!(
            fingerprint(&one, &[], &ignore),
            fingerprint(&other, &[], &ignore)
        );
        let of = path("$.name");
        assert_eq!(fingerprint(&one, &of, &[]), fingerprint(&other, &of, &[]));
        other["name"]["given"] = "Dan".into();
        assert_ne!(fingerprint(&one, &of, &[]), fingerprint(&other, &of, &[]));
    }
}
