//! What an account has, beside what the cluster backs up: instances without a schedule, schedules for them, and sets that no object claims.
//! All of it is told from lists that the command line has read; nothing here calls the cloud or the API server.

mod candidates;
mod compare;
mod csv;
mod generate;
mod listings;
mod orphans;
mod row;
mod table;

#[cfg(test)]
mod tests;

pub use candidates::{Candidates, LeftOut, candidates};
pub use compare::{Scope, compare};
pub use csv::csv;
pub use generate::{Plan, manifests, values};
pub use listings::Listings;
pub use orphans::{Claims, InstanceSets, Orphan, Orphans, orphans, take_in};
pub use row::{Counts, Coverage, Covered, InstanceRow, ScheduleRow};
pub use table::{orphan_table, table};
