//! The documents inside the SOAP documents: PARAM and RESULT, as XML or JSON (X3 5.3, 5.4).

use super::message::Message;
use serde_json::{Map, Value, json};

/// A field name with its text.
pub(crate) type Field = (String, String);

/// What a call passes in, whichever way it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params {
    /// Group id and fields.
    pub(crate) groups: Vec<(String, Vec<Field>)>,
    /// Grid id and rows.
    pub(crate) grids: Vec<(String, Vec<Vec<Field>>)>,
}

impl Params {
    /// Reads a parameter; which of the two formats it is shows in its content (X3 5.3).
    pub(crate) fn parse(text: &str) -> Result<Self, Message> {
        let text = text.trim();
        if text.starts_with('{') {
            json_params(text)
        } else {
            xml_params(text)
        }
    }

    /// The first field of this name in any group.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.groups.iter().flat_map(|(_, fields)| fields);
        let mut named = fields.filter(|(own, _)| own == name);
        named.next().map(|(_, value)| value.as_str())
    }
}

fn unreadable(why: &str) -> Message {
    Message::error(
        format!("Parameter not readable: {why}"),
        format!("Paramètre illisible : {why}"),
    )
}

fn xml_params(text: &str) -> Result<Params, Message> {
    let document = roxmltree::Document::parse(text).map_err(|_| unreadable("XML"))?;
    let root = document.root_element();
    if root.tag_name().name() != "PARAM" {
        return Err(unreadable(root.tag_name().name()));
    }
    let mut params = Params::default();
    for block in root.children().filter(roxmltree::Node::is_element) {
        let id = || block.attribute("ID").unwrap_or_default().to_owned();
        match block.tag_name().name() {
            "GRP" => params.groups.push((id(), xml_fields(block)?)),
            "TAB" => {
                let rows = block.children().filter(roxmltree::Node::is_element);
                let rows = rows
                    .map(|row| match row.tag_name().name() {
                        "LIN" => xml_fields(row),
                        other => Err(unreadable(other)),
                    })
                    .collect::<Result<_, _>>()?;
                params.grids.push((id(), rows));
            }
            other => return Err(unreadable(other)),
        }
    }
    Ok(params)
}

/// The fields of a GRP or LIN; each item of a LST counts as a field of its own with that name.
fn xml_fields(block: roxmltree::Node<'_, '_>) -> Result<Vec<Field>, Message> {
    let mut fields = Vec::new();
    for field in block.children().filter(roxmltree::Node::is_element) {
        let name = field
            .attribute("NAME")
            .ok_or_else(|| unreadable("NAME"))?
            .to_owned();
        let text = |node: roxmltree::Node<'_, '_>| -> String {
            node.children().filter_map(|part| part.text()).collect()
        };
        match field.tag_name().name() {
            "FLD" => fields.push((name, text(field))),
            "LST" => {
                let items = field.children().filter(|item| item.has_tag_name("ITM"));
                fields.extend(items.map(|item| (name.clone(), text(item))));
            }
            other => return Err(unreadable(other)),
        }
    }
    Ok(fields)
}

fn json_params(text: &str) -> Result<Params, Message> {
    let value: Value = serde_json::from_str(text).map_err(|_| unreadable("JSON"))?;
    let blocks = value.as_object().ok_or_else(|| unreadable("JSON"))?;
    let mut params = Params::default();
    for (id, block) in blocks {
        if let Some(rows) = block.as_array() {
            let rows = rows.iter().map(json_fields).collect::<Result<_, _>>()?;
            params.grids.push((id.clone(), rows));
        } else {
            params.groups.push((id.clone(), json_fields(block)?));
        }
    }
    Ok(params)
}

/// Values are strings, as in all of Sage's samples (X3 5.3); an array of them is a LST.
fn json_fields(block: &Value) -> Result<Vec<Field>, Message> {
    let members = block.as_object().ok_or_else(|| unreadable("JSON"))?;
    let mut fields = Vec::new();
    for (name, value) in members {
        let items = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for item in items {
            let text = item.as_str().ok_or_else(|| unreadable(name))?;
            fields.push((name.clone(), text.to_owned()));
        }
    }
    Ok(fields)
}

/// A field of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) name: String,
    /// Char, Integer, Decimal or Date (X3 5.3).
    pub(crate) kind: &'static str,
    pub(crate) value: String,
}

impl Cell {
    /// A text.
    pub(crate) fn text(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            kind: "Char",
            value: value.into(),
        }
    }
}

/// What a call gives back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub(crate) groups: Vec<(String, Vec<Cell>)>,
    pub(crate) grids: Vec<(String, Vec<Vec<Cell>>)>,
    /// Rows of a left list (X3 5.5).
    pub(crate) rows: Option<Vec<Vec<Cell>>>,
}

impl Sheet {
    /// The text of `resultXml`, in the format that `adxwss.optreturn` asks for (X3 5.2).
    pub(crate) fn render(&self, as_json: bool) -> String {
        if as_json { self.json() } else { self.xml() }
    }

    fn json(&self) -> String {
        let object = |cells: &[Cell]| -> Value {
            let members = cells
                .iter()
                .map(|cell| (cell.name.clone(), Value::String(cell.value.clone())));
            Value::Object(members.collect())
        };
        if let Some(rows) = &self.rows {
            let rows: Vec<Value> = rows.iter().map(|row| object(row)).collect();
            return Value::Array(rows).to_string();
        }
        let mut out = Map::new();
        for (id, cells) in &self.groups {
            out.insert(id.clone(), object(cells));
        }
        for (id, rows) in &self.grids {
            let rows: Vec<Value> = rows.iter().map(|row| object(row)).collect();
            out.insert(id.clone(), json!(rows));
        }
        Value::Object(out).to_string()
    }

    fn xml(&self) -> String {
        let cells = |cells: &[Cell]| -> String {
            let mut out = String::new();
            for cell in cells {
                let Cell { name, kind, value } = cell;
                let value = escape(value);
                out += &format!("<FLD NAME=\"{name}\" TYPE=\"{kind}\">{value}</FLD>");
            }
            out
        };
        let rows = |rows: &[Vec<Cell>]| -> String {
            let mut out = String::new();
            for (at, row) in rows.iter().enumerate() {
                out += &format!("<LIN NUM=\"{}\">{}</LIN>", at + 1, cells(row));
            }
            out
        };
        if let Some(own) = &self.rows {
            return format!("<RESULT SIZE=\"{}\">{}</RESULT>", own.len(), rows(own));
        }
        let mut out = String::from("<RESULT>");
        for (id, fields) in &self.groups {
            out += &format!("<GRP ID=\"{id}\">{}</GRP>", cells(fields));
        }
        for (id, own) in &self.grids {
            let size = own.len();
            out += &format!(
                "<TAB DIM=\"300\" ID=\"{id}\" SIZE=\"{size}\">{}</TAB>",
                rows(own)
            );
        }
        out + "</RESULT>"
    }
}

/// Escapes text for XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_say_the_same() {
        let xml = r#"<PARAM><GRP ID="G"><FLD NAME="A">x &amp; y</FLD><LST NAME="L" SIZE="2"><ITM>1</ITM><ITM>2</ITM></LST></GRP>
            <TAB ID="T"><LIN NUM="1"><FLD NAME="B"/></LIN></TAB></PARAM>"#;
        let json = r#"{"G":{"A":"x & y","L":["1","2"]},"T":[{"B":""}]}"#;
        let params = Params::parse(xml).unwrap();
        assert_eq!(params, Params::parse(json).unwrap());
        assert_eq!(params.field("A"), Some("x & y"));
        for broken in ["", "<PARAM>", "<X/>", "{\"G\":{\"A\":1}}", "{\"G\":{},}"] {
            assert!(Params::parse(broken).is_err(), "{broken}");
        }
    }
}
