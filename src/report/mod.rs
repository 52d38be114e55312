//! What is backed up, how old its data is, and whether that is young enough: told from the objects of the two kinds alone, without a call
//! of the cloud. `assess` decides, `cluster` asks the API server, and the other files write what was found.

mod assess;
pub mod cells;
mod cluster;
mod csv;
mod read;
mod row;
mod table;

#[cfg(test)]
mod tests;

pub use assess::{Objects, assess};
pub use cluster::{Cluster, ReadError, Source, connect};
pub use csv::csv;
pub use read::{read, read_from};
pub use row::{Counts, Failure, Objective, Report, Row, UnreadableObject, UsableBackup};
pub use table::table;
