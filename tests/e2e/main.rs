//! End to end: the operator as a process under its own ServiceAccount, a real control plane, a strict simulated endpoint with a listing lag
//! of 3 s, numeric ids and `Process` 125. What happened is judged by the endpoint's ledger and call log and by the API server's audit log.
//!
//! `tests/gitops` is one of these tests, since all of them mostly wait, for jobs and for the clock: at the same time they take no longer than without it.

mod admission;
mod audit;
mod canary;
mod coverage;
mod crash;
mod credentials;
// Tests start in the order of their names, and those of schedules last longest, since they wait for whole minutes of the clock: as `cron`
// they start early.
#[path = "schedules/mod.rs"]
mod cron;
mod crowd;
mod deletion;
mod environment;
mod events;
mod everywhere;
#[path = "../gitops/mod.rs"]
mod gitops;
mod hostile;
mod installs;
mod leader;
mod lost;
mod main_path;
mod metrics;
mod pauses;
mod plugin;
mod reload;
mod report;
mod rights;
mod scopes;
#[path = "../setup/mod.rs"]
mod setup;
mod site;
mod start;
mod status_owners;
mod taking_in;
mod tenants;
mod trouble;
mod used;
