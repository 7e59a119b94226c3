//! Settings, parameters, secrets and inputs that are needed where another one has a certain value: the keyword
//! `required_when`.
//!
//! It is data, not an expression, so that a slip in it is found without any site: it names members of the same map and values
//! that these may have.

use serde_json::{Map, Value as Document};

/// The keyword.
pub(crate) const KEYWORD: &str = "required_when";

/// The ways to be required: a map whose members all hold, or a list of such maps.
fn ways(condition: &Document) -> impl Iterator<Item = &Map<String, Document>> {
    let list = condition.as_array().map_or(&[][..], Vec::as_slice);
    condition
        .as_object()
        .into_iter()
        .chain(list.iter().filter_map(Document::as_object))
        .filter(|way| !way.is_empty())
}

/// The values of which one is asked for.
pub(crate) fn wanted(value: &Document) -> &[Document] {
    value
        .as_array()
        .map_or_else(|| std::slice::from_ref(value), Vec::as_slice)
}

/// Where something is required: in words, if that is so for these values, which have their defaults.
pub(crate) fn required(condition: &Document, values: &Document) -> Option<String> {
    let way = ways(condition).find(|way| {
        way.iter().all(|(name, value)| {
            let given = values.get(name).unwrap_or(&Document::Null);
            wanted(value).contains(given)
        })
    })?;
    let parts = way.keys().map(|name| {
        let given = values.get(name).unwrap_or(&Document::Null);
        format!("`{name}` is {}", plain(given))
    });
    Some(parts.collect::<Vec<_>>().join(" and "))
}

/// Whether there is something: an empty text says nothing.
pub(crate) fn is_given(value: Option<&Document>) -> bool {
    value.is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
}

/// A value as it stands in messages.
pub(crate) fn plain(value: &Document) -> String {
    match value.as_str() {
        Some(text) => format!("`{text}`"),
        None => format!("`{value}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_is_required_where_one_of_the_ways_holds_whole() {
        let condition = json!([{ "mode": ["file", "queue"], "secure": true }, { "region": "eu" }]);
        let said = |values| required(&condition, &values);
        assert_eq!(
            said(json!({ "mode": "queue", "secure": true, "region": null })).as_deref(),
            Some("`mode` is `queue` and `secure` is `true`")
        );
        assert_eq!(said(json!({ "mode": "queue", "secure": false })), None);
        assert_eq!(
            said(json!({ "region": "eu" })).as_deref(),
            Some("`region` is `eu`")
        );
        assert_eq!(said(json!({})), None);
        assert_eq!(
            required(&json!({}), &json!({})),
            None,
            "nothing is no condition"
        );
        assert!(!is_given(Some(&json!(""))) && !is_given(Some(&json!(null))) && !is_given(None));
        assert!(is_given(Some(&json!(0))) && is_given(Some(&json!(false))));
    }
}
