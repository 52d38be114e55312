//! The operator's process: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    rds_backup_operator::cli::main()
}
