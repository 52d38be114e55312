//! What the command line asks of a cloud account, as a user runs it: the program as a process, the simulated endpoint over HTTP, and an API
//! server of a few lines that has the objects.

mod generate;
mod orphans;
mod report;
mod rights;
mod thousand;
mod world;
