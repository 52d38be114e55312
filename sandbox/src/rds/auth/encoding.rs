//! What both kinds of signature need of RFC 3986 and of header lists.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// RFC 3986's unreserved characters stay as they are.
pub(super) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The names of a `SignedHeaders` list.
pub(super) fn names(list: &str) -> BTreeSet<&str> {
    list.split(';').collect()
}
