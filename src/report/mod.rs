//! What is backed up, how old its data is, and whether that is young enough: told from the objects of the two kinds alone, without a call
//! of the cloud. `assess` decides, `read` asks the API server, and the other files write what was found.

mod assess;
mod csv;
mod read;
mod row;
mod table;

#[cfg(test)]
mod tests;

pub use assess::{Objects, assess};
pub use csv::csv;
pub use read::{ReadError, Source, read};
pub use row::{Counts, Failure, Objective, Report, Row, UnreadableObject, UsableBackup};
pub use table::table;
