//! Tables that are compiled in: a heading, then a row on each line, with tabs between the columns.

use serde::{
    Deserialize,
    de::value::{BorrowedStrDeserializer, Error, SeqDeserializer},
};

/// The rows below the heading, each as a tuple of its columns. A row that cannot be read is left out; the tests count rows.
pub(super) fn rows<T: Deserialize<'static>>(table: &'static str) -> impl Iterator<Item = T> {
    table.lines().skip(1).filter_map(|line| {
        let columns = line.split('\t').map(BorrowedStrDeserializer::<Error>::new);
        T::deserialize(SeqDeserializer::new(columns)).ok()
    })
}
