//! The answers that the endpoint sends, in JSON or in XML.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::request::{RawRequest, SignatureVersion};
use super::settings::Quirks;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// `application/json`
    #[serde(rename = "JSON")]
    Json,
    /// `text/xml`
    #[serde(rename = "XML")]
    Xml,
}

impl Format {
    /// What the request is answered in. RPC requests say it in `Format`, and get XML if they say nothing; V3 requests say it in `accept`,
    /// and get JSON if they say nothing.
    pub(super) fn of(request: &RawRequest, quirks: &Quirks) -> Self {
        let json = match request.signature_version() {
            SignatureVersion::V1 => request.parameter("Format").is_some_and(|format| format.eq_ignore_ascii_case("json")),
            SignatureVersion::V3 => !request.header("accept").is_some_and(|accept| accept.starts_with("application/xml")),
        };
        if json && !quirks.xml_answers { Self::Json } else { Self::Xml }
    }
}

/// What the endpoint sends back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The document in that format; `root` is the name of its outermost element in XML.
    pub(super) fn document(status: u16, document: &Value, format: Format, root: &str) -> Self {
        match format {
            Format::Json => Self::json(status, document),
            Format::Xml => Self { status, headers: vec![("content-type", "text/xml;charset=utf-8".into())], body: xml(root, document) },
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: vec![("content-type", "application/json;charset=utf-8".into())], body: body.to_string().into_bytes() }
    }

    pub(super) fn html(status: u16, body: &str) -> Self {
        Self { status, headers: vec![("content-type", "text/html".into())], body: body.as_bytes().to_vec() }
    }
}

fn xml(root: &str, document: &Value) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let _ = element(&mut writer, root, document);
    writer.into_inner()
}

/// A field is an element, a list repeats its element, and null is an empty element.
fn element(writer: &mut Writer<Vec<u8>>, name: &str, value: &Value) -> std::io::Result<()> {
    if let Value::Array(items) = value {
        return items.iter().try_for_each(|item| element(writer, name, item));
    }
    writer.write_event(Event::Start(BytesStart::new(name)))?;
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| element(writer, name, value))?,
        Value::Null | Value::Array(_) => {}
        Value::String(text) => writer.write_event(Event::Text(BytesText::new(&printable(text))))?,
        Value::Bool(_) | Value::Number(_) => writer.write_event(Event::Text(BytesText::new(&value.to_string())))?,
    }
    writer.write_event(Event::End(BytesEnd::new(name)))
}

/// XML 1.0 does not allow most control characters, escaped or not.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\t' | '\n' | '\r') { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_in_xml() {
        let document = json!({
            "RequestId": "R", "Count": 2, "Nothing": null, "Empty": "", "Encryption": {},
            "Items": { "Backup": [{ "BackupId": "1" }, { "BackupId": "2" }], "None": [] },
            "Message": "a < b & \u{7}",
        });
        let written = String::from_utf8(xml("SomeResponse", &document)).unwrap();
        for part in [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><SomeResponse>",
            "<Items><Backup><BackupId>1</BackupId></Backup><Backup><BackupId>2</BackupId></Backup></Items>",
            "<Count>2</Count>",
            "<Nothing></Nothing>",
            "<Empty></Empty>",
            "<Encryption></Encryption>",
            "<Message>a &lt; b &amp; \u{fffd}</Message>",
            "</SomeResponse>",
        ] {
            assert!(written.contains(part), "{part} in {written}");
        }
    }

    #[test]
    fn who_asks_for_what() {
        let request = |query: &str, accept: Option<&str>| RawRequest {
            query: query.to_owned(),
            headers: accept.map(|accept| ("accept".to_owned(), accept.to_owned())).into_iter().collect(),
            ..RawRequest::default()
        };
        for (query, accept, format) in [
            ("Signature=x&Format=JSON", None, Format::Json),
            ("Signature=x&Format=json", None, Format::Json),
            ("Signature=x&Format=XML", None, Format::Xml),
            ("Signature=x", Some("application/json"), Format::Xml),
            ("", None, Format::Json),
            ("", Some("application/json"), Format::Json),
            ("", Some("application/xml"), Format::Xml),
        ] {
            let quirks = Quirks::default();
            assert_eq!(Format::of(&request(query, accept), &quirks), format, "{query} {accept:?}");
            assert_eq!(Format::of(&request(query, accept), &Quirks { xml_answers: true, ..quirks }), Format::Xml, "{query} {accept:?}");
        }
    }
}
