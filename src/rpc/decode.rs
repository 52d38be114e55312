//! From the bytes of an answer to a document. Every request asks for JSON, but old gateways always answer in XML, and the documentation
//! shows both.
//!
//! An XML document becomes the JSON that the service would have answered: an element that contains elements is an object, a repeated name
//! is a list, anything else is text. The code that reads the document accepts numbers as text and single objects as lists.

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};
use serde_json::{Map, Value};

/// Elements of one document. A full page of 100 sets has about 2,700; a document with more is not the service's.
const MOST_ELEMENTS: usize = 50_000;

/// How deep elements may be nested. The service's answers need 6.
const DEEPEST: usize = 16;

/// The document of an answer to `action`; none if the answer is neither JSON nor the XML of this action or of an error.
pub(super) fn body(action: &str, bytes: &[u8]) -> Option<Value> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii();
    if bytes.first() == Some(&b'<') {
        return xml(action, std::str::from_utf8(bytes).ok()?);
    }
    serde_json::from_slice(bytes).ok()
}

/// An element whose end tag has not been read yet.
struct Open {
    name: String,
    children: Map<String, Value>,
    text: String,
}

fn xml(action: &str, text: &str) -> Option<Value> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut elements = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                elements += 1;
                let name = start.local_name().into_inner().to_owned();
                // A proxy's page can be XML too. Only the service's own root elements are answers.
                let fits = !open.is_empty() || (root.is_none() && is_root(action, &name));
                if !fits || open.len() >= DEEPEST || elements > MOST_ELEMENTS {
                    return None;
                }
                open.push(Open { name, children: Map::new(), text: String::new() });
            }
            Event::Empty(start) => {
                elements += 1;
                let name = start.local_name().into_inner().to_owned();
                match open.last_mut() {
                    Some(parent) if elements <= MOST_ELEMENTS => add(&mut parent.children, name, Value::String(String::new())),
                    // An empty root element is not an answer.
                    _ => return None,
                }
            }
            Event::End(_) => {
                let Open { name, children, text } = open.pop()?;
                let value = if children.is_empty() { Value::String(text) } else { Value::Object(children) };
                match open.last_mut() {
                    Some(parent) => add(&mut parent.children, name, value),
                    None => root = Some(value),
                }
            }
            Event::Text(piece) => {
                let piece = piece.xml10_content();
                match open.last_mut() {
                    Some(element) => element.text.push_str(&piece),
                    None if piece.trim().is_empty() => {}
                    None => return None,
                }
            }
            Event::CData(piece) => open.last_mut()?.text.push_str(&piece.xml10_content()),
            Event::GeneralRef(reference) => {
                let element = open.last_mut()?;
                match reference.resolve_char_ref().ok()? {
                    Some(character) => element.text.push(character),
                    // A document can define entities that make it arbitrarily large. Only XML's own five are resolved here.
                    None => element.text.push_str(resolve_predefined_entity(&reference)?),
                }
            }
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    root.filter(|root| open.is_empty() && root.is_object())
}

fn is_root(action: &str, name: &str) -> bool {
    name == "Error" || name.strip_suffix("Response").is_some_and(|name| name == action)
}

/// Adds an element. A second element of the same name turns the value into a list.
fn add(children: &mut Map<String, Value>, name: String, value: Value) {
    match children.get_mut(&name) {
        None => {
            children.insert(name, value);
        }
        Some(Value::Array(list)) => list.push(value),
        Some(first) => {
            let one = first.take();
            *first = Value::Array(vec![one, value]);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_become_the_same_document() {
        let expected =
            json!({"RequestId": "2C12", "Items": {"Backup": [{"BackupId": "1", "Link": "a&b=<c>"}, {"BackupId": "2", "Link": ""}]}});
        let xml = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<!-- old --><DescribeBackupsResponse>\n <RequestId>2C12</RequestId>\n <Items>\n  \
                   <Backup><BackupId>1</BackupId><Link>a&amp;b=<![CDATA[<c>]]></Link></Backup>\n  \
                   <Backup><BackupId>&#50;</BackupId><Link/></Backup>\n </Items>\n</DescribeBackupsResponse>\n";
        assert_eq!(body("DescribeBackups", xml.as_bytes()), Some(expected.clone()));
        assert_eq!(body("DescribeBackups", format!("\u{feff} {expected}\n").as_bytes()), Some(expected));
        let namespaced = "<CreateBackupResponse xmlns:a=\"http://a\"><a:BackupJobId b=\"c\">5</a:BackupJobId></CreateBackupResponse>";
        assert_eq!(body("CreateBackup", namespaced.as_bytes()), Some(json!({"BackupJobId": "5"})));
        let error = "<Error><Code>Forbidden</Code><Message>a &lt; b</Message></Error>";
        assert_eq!(body("CreateBackup", error.as_bytes()), Some(json!({"Code": "Forbidden", "Message": "a < b"})));
    }

    #[test]
    fn a_document_that_is_not_the_services_is_no_answer() {
        let deep = |depth: usize| format!("<Error>{}<Code>x</Code>{}</Error>", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(body("CreateBackup", deep(14).as_bytes()).is_some());
        let wide = |count: usize| format!("<Error>{}</Error>", "<a/>".repeat(count));
        assert!(body("CreateBackup", wide(MOST_ELEMENTS - 1).as_bytes()).is_some());
        for wrong in [
            "",
            "<",
            "<html><Code>Forbidden</Code></html>",
            "<!DOCTYPE html><Error><Code>Forbidden</Code></Error>",
            "<!DOCTYPE Error [<!ENTITY a \"aaaa\">]><Error><Code>&a;</Code></Error>",
            "<Error><Code>&a;</Code></Error>",
            "<Error><Code>Forbidden</Error>",
            "<Error><Code>Forbidden</Code>",
            "<Error><Code>Forbidden</Code></Error><Error/>",
            "<Error><Code>Forbidden</Code></Error><Error><Code>Forbidden</Code></Error>",
            "<Error><Code>Forbidden</Code></Error>trailing",
            "<Error/>",
            "<Error>Forbidden</Error>",
            "<DescribeBackupsResponse><BackupJobId>5</BackupJobId></DescribeBackupsResponse>",
            "<Response><BackupJobId>5</BackupJobId></Response>",
            &deep(15),
            &wide(MOST_ELEMENTS),
            "{\"BackupJobId\": ",
            "{} {}",
            "nothing",
        ] {
            assert_eq!(body("CreateBackup", wrong.as_bytes()), None, "{}", wrong.get(..60).unwrap_or(wrong));
        }
        assert_eq!(body("CreateBackup", b"<Error><Code>\xff</Code></Error>"), None);
    }
}
