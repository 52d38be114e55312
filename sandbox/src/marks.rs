//! Marked secrets, and the search for them in what a program wrote: plain, percent-encoded and in base64, each whole and by its first 12
//! characters. A text that is cut off after 12 characters of a key has leaked the key's beginning, and a log of an encoded request has
//! leaked it all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// So many characters of a secret are a leak.
pub const BEGINNING: usize = 12;

/// The forms that are searched for: three, each whole and by its beginning.
pub const FORMS: usize = 6;

/// Secrets to search for, and what was searched.
#[derive(Debug, Default)]
pub struct Marks {
    /// Of each form its beginning, and the mark that it is of.
    needles: BTreeMap<Vec<u8>, BTreeSet<Needle>>,
    /// The first two bytes of all needles.
    begins: BTreeSet<[u8; 2]>,
    planted: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Needle {
    mark: String,
    form: &'static str,
    whole: Vec<u8>,
}

/// A secret that was found where none may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The name of the mark; never the secret itself.
    pub mark: String,
    /// Its form.
    pub form: &'static str,
    /// Whether all of it is there, or its beginning only.
    pub whole: bool,
    /// Where it was found.
    pub place: String,
    /// What is around it, without it.
    pub around: String,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mark, form, whole, place, around } = self;
        write!(f, "{} of {mark} ({form}) in {place}: {around}", if *whole { "all" } else { "the beginning" })
    }
}

impl Marks {
    /// Without a mark.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret under a name. A text of less than 12 characters cannot be searched for.
    pub fn plant(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= BEGINNING, "{name} is too short to be searched for");
        self.planted += 1;
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        // Clients leave these four as they are.
        let by_rfc = encoded(secret).replace("%2D", "-").replace("%2E", ".").replace("%5F", "_").replace("%7E", "~");
        let twice = encoded(&by_rfc).replace("%2D", "-").replace("%2E", ".").replace("%5F", "_").replace("%7E", "~");
        let mut forms = vec![("plain", secret.to_owned()), ("percent-encoded", by_rfc), ("percent-encoded", twice)];
        // In a longer text that is encoded as a whole, a secret begins at one of three places of a group.
        for skipped in 0..3 {
            let whole = BASE64_STANDARD.encode(format!("{}{secret}", "?".repeat(skipped)));
            // The first group mixes the secret with what is before it, and the last one with what is after it.
            let (from, to) = (if skipped == 0 { 0 } else { 4 }, whole.len() - 4);
            let own = whole[from..to].to_owned();
            forms.push(("base64", own.replace('+', "-").replace('/', "_")));
            forms.push(("base64", own));
        }
        for (form, text) in forms {
            let whole = text.into_bytes();
            let beginning = whole[..BEGINNING].to_vec();
            self.begins.insert([beginning[0], beginning[1]]);
            self.needles.entry(beginning).or_default().insert(Needle { mark: name.to_owned(), form, whole });
        }
    }

    /// How many secrets were planted.
    pub fn planted(&self) -> usize {
        self.planted
    }

    /// Every place in the text where one begins.
    pub fn search(&self, place: &str, text: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        let mut begins = [false; 1 << 16];
        for [first, second] in &self.begins {
            begins[usize::from(*first) << 8 | usize::from(*second)] = true;
        }
        for (at, pair) in text.windows(2).enumerate() {
            if !begins[usize::from(pair[0]) << 8 | usize::from(pair[1])] {
                continue;
            }
            let rest = &text[at..];
            let Some(found) = rest.get(..BEGINNING).and_then(|beginning| self.needles.get(beginning)) else { continue };
            // A mark has several encodings of one form, with the same beginning.
            let mut here: BTreeMap<(&str, &'static str), (bool, usize)> = BTreeMap::new();
            for Needle { mark, form, whole } in found {
                let (is_whole, length) = here.entry((mark, form)).or_default();
                (*is_whole, *length) = (*is_whole || rest.starts_with(whole), whole.len().max(*length));
            }
            hits.extend(here.into_iter().map(|((mark, form), (whole, length))| Hit {
                mark: mark.to_owned(),
                form,
                whole,
                place: place.to_owned(),
                around: around(text, at, length),
            }));
        }
        hits
    }
}

/// 100 bytes before a secret and 30 after it.
fn around(text: &[u8], at: usize, length: usize) -> String {
    let before = String::from_utf8_lossy(&text[at.saturating_sub(100)..at]);
    let end = (at + length).min(text.len());
    let after = String::from_utf8_lossy(&text[end..(end + 30).min(text.len())]);
    format!("{before}(here){after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Mk/1+secret=of;the.test";

    fn marks() -> Marks {
        let mut marks = Marks::new();
        marks.plant("key", SECRET);
        marks
    }

    fn forms(text: &str) -> BTreeSet<(&'static str, bool)> {
        marks().search("here", text.as_bytes()).into_iter().map(|hit| (hit.form, hit.whole)).collect()
    }

    #[test]
    fn a_secret_is_found_in_each_form_whole_and_by_its_beginning() {
        assert_eq!(forms(&format!("key={SECRET}.")), [("plain", true)].into());
        assert_eq!(forms("key=Mk/1+secret= and no more"), [("plain", false)].into());
        assert_eq!(forms("Token=Mk%2F1%2Bsecret%3Dof%3Bthe.test&x"), [("percent-encoded", true)].into());
        assert_eq!(forms("Token=Mk%2F1%2Bsecre"), [("percent-encoded", false)].into());
        assert_eq!(forms("Token%3DMk%252F1%252Bsecret%253Dof%253Bthe.test"), [("percent-encoded", true)].into());
        for before in ["", "u", "u:", "user:", "{\"accessKeySecret\":\""] {
            let text = BASE64_STANDARD.encode(format!("{before}{SECRET}\"}}"));
            assert_eq!(forms(&text), [("base64", true)].into(), "{before}");
            let begins = text.len() - BASE64_STANDARD.encode(format!("{SECRET}\"}}")).len();
            assert_eq!(forms(&text[..begins + 20]), [("base64", false)].into(), "{before}");
        }
    }

    #[test]
    fn what_is_no_secret_is_not_found() {
        for text in ["", "M", "Mk/1+secret", "Mk/1+another=of;the.test", "MK/1+SECRET=OF;THE.TEST"] {
            assert_eq!(forms(text), BTreeSet::new(), "{text}");
        }
    }

    #[test]
    fn a_hit_names_the_mark_and_the_place_and_shows_nothing_of_the_secret() {
        let hit = marks().search("the log", format!("before {SECRET} after").as_bytes()).remove(0).to_string();
        assert_eq!(hit, "all of key (plain) in the log: before (here) after");
    }
}
