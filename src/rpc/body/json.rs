/// Takes the values out of a JSON document that are not used, and puts null in their place. It passes on what is no JSON.
#[derive(Default)]
pub(super) struct JsonFilter {
    /// The open objects (true) and lists of what is kept.
    open: Vec<bool>,
    /// The next text is the name of a member.
    before_name: bool,
    /// Where the name that is read, or was read last, begins among the kept bytes.
    name_at: usize,
    /// Within a text.
    text: Option<Text>,
    /// How deep within a value that is not used.
    skipped: Option<usize>,
    /// The value of the member is not used: it begins after the colon.
    skips_next: bool,
}

#[derive(Clone, Copy)]
struct Text {
    is_name: bool,
    escaped: bool,
}

impl JsonFilter {
    pub fn take(&mut self, byte: u8, used: &[&str], kept: &mut Vec<u8>) {
        if let Some(text) = &mut self.text {
            if self.skipped.is_none() {
                kept.push(byte);
            }
            match byte {
                _ if text.escaped => text.escaped = false,
                b'\\' => text.escaped = true,
                b'"' => {
                    if text.is_name {
                        self.skips_next = !is_used(kept.get(self.name_at..kept.len().saturating_sub(1)).unwrap_or_default(), used);
                    }
                    self.text = None;
                }
                _ => {}
            }
            return;
        }
        if let Some(depth) = &mut self.skipped {
            match byte {
                b'"' => self.text = Some(Text { is_name: false, escaped: false }),
                b'{' | b'[' => *depth = depth.saturating_add(1),
                b'}' | b']' if *depth > 0 => *depth = depth.saturating_sub(1),
                // The end of the member.
                b',' | b'}' | b']' if *depth == 0 => self.skipped = None,
                _ => {}
            }
            if self.skipped.is_some() {
                return;
            }
        }
        kept.push(byte);
        match byte {
            b'"' => {
                self.text = Some(Text { is_name: self.before_name, escaped: false });
                self.before_name = false;
                self.name_at = kept.len();
            }
            b'{' | b'[' => {
                self.open.push(byte == b'{');
                self.before_name = byte == b'{';
            }
            b'}' | b']' => {
                self.open.pop();
                self.before_name = false;
            }
            b',' => self.before_name = self.open.last() == Some(&true),
            b':' if self.skips_next => {
                self.skips_next = false;
                kept.extend_from_slice(b"null");
                self.skipped = Some(0);
            }
            _ => {}
        }
    }
}

/// A name with an escape in it is kept: it may be any name.
fn is_used(name: &[u8], used: &[&str]) -> bool {
    name.contains(&b'\\') || used.iter().any(|used| used.as_bytes() == name)
}
