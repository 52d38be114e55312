//! Reads the body of an answer as it arrives, and keeps only what is used. A page of backup sets has two pre-signed addresses for each
//! database of each set: megabytes that nothing here reads, and secrets.

mod json;
mod xml;

use json::JsonFilter;
use xml::XmlFilter;

/// The most that is kept of a body, bytes. A page of 100 sets without their addresses has about 60 KiB.
pub(super) const LARGEST_KEPT: usize = 1024 * 1024;

/// The most that is read of a body, bytes: 100 sets with 300 databases each, and two addresses of 1,100 bytes for each database.
pub(super) const LARGEST_READ: usize = 64 * 1024 * 1024;

/// Why the rest of a body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooLarge {
    /// A document: a smaller part of the list can be asked for.
    Document,
    /// Neither JSON nor XML.
    Other,
}

/// A body as far as it has arrived.
pub(super) struct Body<'a> {
    /// The names of the members that are used, in objects and elements of any depth.
    used: &'a [&'a str],
    /// [`LARGEST_READ`]
    largest_read: usize,
    form: Form,
    kept: Vec<u8>,
    read: usize,
}

enum Form {
    /// Nothing but white space and a byte order mark has arrived.
    Unknown,
    Json(JsonFilter),
    Xml(XmlFilter),
    Other,
}

impl<'a> Body<'a> {
    pub fn new(used: &'a [&'a str]) -> Self {
        Self { used, largest_read: LARGEST_READ, form: Form::Unknown, kept: Vec::new(), read: 0 }
    }

    /// Takes in what arrived next.
    ///
    /// # Errors
    /// There is too much of it.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), TooLarge> {
        self.read = self.read.saturating_add(piece.len());
        if matches!(self.form, Form::Unknown) {
            self.form = match piece.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xEF\xBB\xBF".contains(byte)) {
                None => Form::Unknown,
                Some(b'<') => Form::Xml(XmlFilter::default()),
                Some(b'{' | b'[') => Form::Json(JsonFilter::default()),
                Some(_) => Form::Other,
            };
        }
        let (used, kept) = (self.used, &mut self.kept);
        // The filters keep at most a few bytes more than they take.
        for piece in piece.chunks(LARGEST_KEPT / 16) {
            match &mut self.form {
                Form::Json(filter) => piece.iter().for_each(|byte| filter.take(*byte, used, kept)),
                Form::Xml(filter) => piece.iter().for_each(|byte| filter.take(*byte, used, kept)),
                Form::Unknown | Form::Other => kept.extend_from_slice(piece),
            }
            if kept.len() > LARGEST_KEPT {
                break;
            }
        }
        if self.kept.len() > LARGEST_KEPT || self.read > self.largest_read { Err(self.too_large()) } else { Ok(()) }
    }

    /// The whole body, without what is not used.
    pub fn into_bytes(self) -> Vec<u8> {
        self.kept
    }

    fn too_large(&self) -> TooLarge {
        match self.form {
            Form::Json(_) | Form::Xml(_) => TooLarge::Document,
            Form::Unknown | Form::Other => TooLarge::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::rpc::decode;

    const USED: [&str; 4] = ["Items", "Row", "Id", "Code"];

    /// The body as it is kept if it arrives in pieces of that many bytes.
    fn kept(bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut body = Body::new(&USED);
        for piece in bytes.chunks(piece.max(1)) {
            body.take(piece).expect("small");
        }
        body.into_bytes()
    }

    /// The document with what is not used taken out afterwards. This shares no code with the filters.
    fn pruned(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let used = fields.iter().filter(|(name, _)| USED.contains(&name.as_str()));
                used.map(|(name, value)| (name.clone(), pruned(value))).collect::<Map<_, _>>().into()
            }
            Value::Array(list) => list.iter().map(pruned).collect(),
            other => other.clone(),
        }
    }

    /// Without the nulls that stand for what was taken out.
    fn without_nulls(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let told = fields.into_iter().filter(|(_, value)| !value.is_null());
                told.map(|(name, value)| (name, without_nulls(value))).collect::<Map<_, _>>().into()
            }
            Value::Array(list) => list.into_iter().map(without_nulls).collect(),
            other => other,
        }
    }

    fn document() -> impl Strategy<Value = Value> {
        let name = prop::sample::select(vec!["Items", "Row", "Id", "Code", "Link", "Other", "É"]);
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            r#"[ -~é中{}\[\]",:\\]{0,20}"#.prop_map(Value::from),
        ];
        let tree = leaf.prop_recursive(5, 40, 5, move |inner| {
            let fields = vec((name.clone(), inner.clone()), 0..5);
            prop_oneof![
                vec(inner, 0..4).prop_map(Value::from),
                fields.prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()),
            ]
        });
        vec(("Items|Row|Id|Code|Link", tree), 0..5).prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_document_in_json_keeps_what_is_used(document in document(), pretty in any::<bool>(), piece in 1usize..40) {
            let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
            let read: Value = serde_json::from_slice(&kept(text.as_bytes(), piece)).unwrap();
            prop_assert_eq!(without_nulls(read), pruned(&document), "{}", text);
        }

        #[test]
        fn any_bytes_are_read(bytes in vec(prop_oneof![any::<u8>(), prop::sample::select(b"<>/!?-[]{}\":,\\ aIdCode".to_vec())], 0..300), piece in 1usize..40) {
            let whole = kept(&bytes, 1000);
            prop_assert_eq!(kept(&bytes, piece), whole, "the pieces in which it arrives do not matter");
        }

        /// A torn body does not become a whole one because its end was among what is not used.
        #[test]
        fn half_a_document_is_none(document in document(), cut in 1usize..2000) {
            let text = document.to_string();
            let cut = cut.min(text.len() - 1);
            prop_assert_eq!(decode::body("X", &kept(&text.as_bytes()[..cut], 7)), None, "{}", &text);
        }
    }

    #[test]
    fn a_document_in_xml_keeps_what_is_used() {
        let page = "\u{feff}<?xml version=\"1.0\"?>\n<!-- <Link> --><XResponse><Items a=\"<b>/>\"><Row><Id>1</Id><Link>a</Link><Link/>\
                    <Link><Link><Id>9</Id></Link><![CDATA[</Link>]]><!-- </Link> --><?p </Link>?></Link></Row>\
                    <n:Row><n:Id b='>'>2</n:Id><n:Link c=\"/>\" d='</n:Link>'><Row/></n:Link></n:Row></Items><Code/></XResponse>\n";
        let expected = json!({"Items": {"Row": [{"Id": "1", "Link": ["", "", ""]}, {"Id": "2", "Link": ""}]}, "Code": ""});
        for piece in [1, 2, 3, 7, 10_000] {
            let bytes = kept(page.as_bytes(), piece);
            assert_eq!(decode::body("X", &bytes), Some(expected.clone()), "{}", String::from_utf8_lossy(&bytes));
            assert!(!String::from_utf8_lossy(&bytes).contains("<Link>a"));
        }
        for torn in ["<XResponse><Id>1</Id><Link>", "<XResponse><Link></XResponse>", "<XResponse><Id>1<Link></Link></XResponse>"] {
            assert_eq!(decode::body("X", &kept(torn.as_bytes(), 5)), None, "{torn}");
        }
    }

    #[test]
    fn a_body_that_is_too_large_is_not_read_to_its_end() {
        let read = |head: &str, piece: &str, pieces: usize| {
            let mut body = Body { largest_read: 4 * LARGEST_KEPT, ..Body::new(&USED) };
            std::iter::once(head).chain(std::iter::repeat_n(piece, pieces)).try_for_each(|piece| body.take(piece.as_bytes()))
        };
        let (link, id) = ("\"Link\":\"".to_owned() + &"x".repeat(1000) + "\",", "\"Id\":\"".to_owned() + &"x".repeat(1000) + "\",");
        assert_eq!(read("{", &link, 3900), Ok(()));
        assert_eq!(read("{", &link, 4200), Err(TooLarge::Document));
        assert_eq!(read("{", &id, 1100), Err(TooLarge::Document));
        assert_eq!(read("<R>", &format!("<Link>{}</Link>", "x".repeat(1000)), 3900), Ok(()));
        assert_eq!(read("<R>", &"<Id>x</Id>".repeat(100), 1100), Err(TooLarge::Document));
        assert_eq!(read("x", &"x".repeat(1000), 1100), Err(TooLarge::Other));
    }
}
