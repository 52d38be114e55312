//! End to end: the operator as a process under its own ServiceAccount, a real control plane, a strict simulated endpoint with a listing lag of
//! 3 s, numeric ids and `Process` 125. What happened is judged by the endpoint's ledger and call log and by the API server's audit log.

mod admission;
mod crash;
mod crowd;
mod deletion;
mod events;
mod everywhere;
mod leader;
mod lost;
mod main_path;
mod rights;
mod schedules;
mod site;
mod start;
mod trouble;
mod used;
