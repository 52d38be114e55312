//! What Flux and Argo CD make of every situation that an object can be in: recorded from a real API server while the real operator works,
//! and judged by Flux's own library and by Argo CD's Lua interpreter over the scripts that `deploy/argocd/` ships (`judge/`, in Go). Then
//! the actions of those scripts, and the Job that is the gate where they cannot be installed.

mod actions;
mod backups;
mod gate;
mod judge;
mod schedules;
mod stage;

use judge::Judge;
use stage::Stage;

#[tokio::test]
async fn flux_and_argo_cd_wait_until_the_end_and_tell_failure_from_work() {
    // The first build of the judge takes longer than everything else.
    let (judge, stage) = tokio::join!(Judge::build(), async {
        let stage = Stage::set().await;
        tokio::select! {
            () = whole(&stage) => {}
            () = stage.watch() => {}
        }
        stage
    });
    let patches = judge.verdicts(&stage).await;
    let _operator = stage.operator().await;
    actions::check(&stage, &patches).await;
}

/// From objects that no operator has observed yet to objects that were edited after their end.
async fn whole(stage: &Stage) {
    backups::apply(stage).await;
    schedules::apply(stage).await;
    stage.record([backups::not_seen(), schedules::not_seen()]).await;

    let mut operator = stage.operator().await;
    tokio::join!(gate::check(stage), situations(stage));

    // Edits that no operator has observed yet, and then the same ones observed.
    operator.stop().await.expect("it stops");
    backups::edit(stage).await;
    schedules::edit(stage).await;
    stage.record(backups::edited().into_iter().chain([schedules::edited()])).await;
    let _again = stage.operator().await;
    stage.record([backups::edited_and_seen(), schedules::edited_and_seen()]).await;
}

/// The situations that a running operator brings about.
async fn situations(stage: &Stage) {
    stage.record(backups::first().into_iter().chain(schedules::first())).await;
    backups::go_on(stage).await;
    schedules::go_on(stage).await;
    stage.record(backups::second().into_iter().chain(schedules::second())).await;
}
