use rds_backup_operator::schedule::cron::Cron;
#[test]
fn x() {
    assert!(Cron::parse("* * * * *").is_ok());
}
