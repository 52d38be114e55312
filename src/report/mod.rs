//! What is backed up, how old its data is, and whether that is young enough: told from the objects of the two kinds alone, without a call
//! of the cloud. `read` asks the API server, `assess` decides, and the other files write what was found.

mod assess;
pub mod cells;
mod csv;
mod read;
mod row;
mod table;

#[cfg(test)]
mod tests;

pub use assess::{Objects, assess};
pub use csv::csv;
pub use read::read;
pub use row::{Counts, Failure, Objective, Report, Row, UnreadableObject, UsableBackup};
pub use table::table;
