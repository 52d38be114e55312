/// Empties the elements of an XML document that are not used. The root element stays. It passes on what is no XML. Within an element that
/// is not used it counts the marks and does not compare their names.
#[derive(Default)]
pub(super) struct XmlFilter {
    place: Place,
    /// The last bytes, the newest last: marks end with up to three.
    last: [u8; 3],
    /// Elements that are open and kept.
    depth: usize,
    /// How many elements are open that are not used, one within the other.
    skipped: usize,
}

#[derive(Clone, Copy, Default)]
enum Place {
    /// Between marks.
    #[default]
    Text,
    /// After `<` or `</`: the name is read. It begins there among the kept bytes, or among the bytes of a name that is not kept.
    Name { at: usize, closes: bool },
    /// Behind the name, up to `>`. `drops`: the element is not used, and the mark is not kept.
    Mark { closes: bool, drops: bool, quote: Option<u8> },
    /// `<!...>`, until it is known to be a comment or CDATA.
    Declaration { length: usize },
    /// `<!--...-->`
    Comment { length: usize },
    /// `<![CDATA[...]]>`
    CData,
    /// `<?...?>`
    Instruction,
}

impl XmlFilter {
    pub fn take(&mut self, byte: u8, used: &[&str], kept: &mut Vec<u8>) {
        let was_skipping = self.skipped > 0;
        if !was_skipping {
            kept.push(byte);
        }
        let place = self.place;
        self.place = self.next(place, byte, used, kept);
        self.last = [self.last[1], self.last[2], byte];
    }

    fn next(&mut self, place: Place, byte: u8, used: &[&str], kept: &mut Vec<u8>) -> Place {
        let [_, before_last, last] = self.last;
        match place {
            Place::Text if byte == b'<' => Place::Name { at: kept.len(), closes: false },
            Place::Text => Place::Text,
            Place::Name { at, closes: false } if last == b'<' => match byte {
                b'/' => Place::Name { at, closes: true },
                b'!' => Place::Declaration { length: 0 },
                b'?' => Place::Instruction,
                _ => Place::Name { at, closes: false },
            },
            Place::Name { at, closes } if byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>') => {
                // Within an element that is not used, marks are only counted.
                let name = kept.get(at..kept.len().saturating_sub(1)).unwrap_or_default();
                let drops = self.skipped == 0 && !closes && self.depth > 0 && !is_used(name, used);
                if drops {
                    // An empty element stays in its place: a list that holds other rows than expected is no empty list.
                    kept.pop();
                    kept.extend_from_slice(b"/>");
                    self.skipped = 1;
                } else if self.skipped > 0 && !closes {
                    self.skipped = self.skipped.saturating_add(1);
                } else if !closes {
                    self.depth = self.depth.saturating_add(1);
                }
                let mark = Place::Mark { closes, drops, quote: None };
                if byte == b'>' { self.next(mark, byte, used, kept) } else { mark }
            }
            name @ Place::Name { .. } => name,
            Place::Mark { closes, drops, quote: Some(quote) } => {
                Place::Mark { closes, drops, quote: Some(quote).filter(|quote| *quote != byte) }
            }
            Place::Mark { closes, drops, quote: None } => match byte {
                b'"' | b'\'' => Place::Mark { closes, drops, quote: Some(byte) },
                b'>' => {
                    if closes || last == b'/' {
                        if self.skipped > 0 {
                            self.skipped = self.skipped.saturating_sub(1);
                        } else {
                            self.depth = self.depth.saturating_sub(1);
                        }
                    }
                    Place::Text
                }
                _ => Place::Mark { closes, drops, quote: None },
            },
            Place::Declaration { length } => match (length, byte) {
                (1, b'-') if last == b'-' => Place::Comment { length: 0 },
                (6, b'[') if last == b'A' && before_last == b'T' => Place::CData,
                (_, b'>') => Place::Text,
                _ => Place::Declaration { length: length.saturating_add(1) },
            },
            Place::Comment { length } if byte == b'>' && (before_last, last) == (b'-', b'-') && length >= 2 => Place::Text,
            Place::Comment { length } => Place::Comment { length: length.saturating_add(1) },
            Place::CData if byte == b'>' && (before_last, last) == (b']', b']') => Place::Text,
            Place::CData => Place::CData,
            Place::Instruction if byte == b'>' && last == b'?' => Place::Text,
            Place::Instruction => Place::Instruction,
        }
    }
}

/// Namespaces are left out of account, as in the decoder.
fn is_used(name: &[u8], used: &[&str]) -> bool {
    let local = name.iter().rposition(|byte| *byte == b':').map_or(name, |colon| name.get(colon.saturating_add(1)..).unwrap_or_default());
    used.iter().any(|used| used.as_bytes() == local)
}
