//! A selection of the plans of `cargo sandbox faults`: the operator as a process, killed, disconnected and delayed at requests that it
//! makes, on a real control plane; and six rows of the fault matrix. All of them: `cargo sandbox faults --jobs 40`, about 14 minutes.

use rds_backup_sandbox::{
    faults::{self, FaultsArgs, Output},
    world::{Signature, cli::WorldArgs},
};

/// Of some 1000 plans every 53rd, which are plans of every scenario and of every fault; 2 to 3 minutes on 2 cores.
const EVERY: u16 = 53;

#[tokio::test(flavor = "multi_thread")]
async fn one_backup_is_made_and_recorded_whichever_request_a_fault_hits() {
    let world = WorldArgs {
        keep: false,
        dir: None,
        operator: Some(env!("CARGO_BIN_EXE_rds-backup-operator").into()),
        repository: Some(env!("CARGO_MANIFEST_DIR").into()),
        signature: Signature::V3,
        xml: false,
    };
    let args = FaultsArgs { plan: Vec::new(), repeat: 1, every: EVERY, jobs: 20, output: Output::Text, world };
    let code = faults::run(args).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(code, 0, "a rule was broken: the table above names the plans");
}
