use super::*;

fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn verdict(spec: &InstanceSpec, pairs: &[(&str, &str)]) -> String {
    let outcome = wanted(&parameters(pairs)).and_then(|wanted| {
        check_kind(spec, &wanted)?;
        check_state(spec, &wanted)
    });
    outcome.map_or_else(|error| error.code, |()| "OK".into())
}

const METHOD: &str = "InvalidBackupMethod.ValueNotSupport";
const TYPE: &str = "BackupType.NotSupport";

#[test]
fn each_engine_and_disk_takes_its_own_methods() {
    let table = [
        // engine, disk, logical, physical (and default), snapshot
        (Engine::MySQL, "local_ssd", "OK", "OK", METHOD),
        (Engine::MySQL, "cloud_ssd", METHOD, METHOD, "OK"),
        (Engine::MySQL, "cloud_essd", METHOD, METHOD, "OK"),
        (Engine::MySQL, "general_essd", METHOD, METHOD, "OK"),
        (Engine::PostgreSQL, "local_ssd", METHOD, "OK", METHOD),
        (Engine::PostgreSQL, "cloud_essd", METHOD, "OK", "OK"),
        (Engine::SQLServer, "local_ssd", METHOD, "OK", METHOD),
        (Engine::SQLServer, "cloud_essd", METHOD, "OK", "OK"),
        (Engine::MariaDB, "cloud_essd", METHOD, "OK", METHOD),
    ];
    for (engine, disk, logical, physical, snapshot) in table {
        let spec = InstanceSpec::new(engine, "1", disk);
        assert_eq!(verdict(&spec, &[("BackupMethod", "Logical")]), logical, "{engine:?} {disk} Logical");
        assert_eq!(verdict(&spec, &[("BackupMethod", "Physical")]), physical, "{engine:?} {disk} Physical");
        assert_eq!(verdict(&spec, &[]), physical, "{engine:?} {disk} default");
        assert_eq!(verdict(&spec, &[("BackupMethod", "Snapshot")]), snapshot, "{engine:?} {disk} Snapshot");
    }
    assert_eq!(verdict(&InstanceSpec::default(), &[("BackupMethod", "physical")]), METHOD);
}

#[test]
fn a_type_belongs_to_physical_backups_of_sql_server() {
    let server = InstanceSpec::new(Engine::SQLServer, "2019_ent", "cloud_essd");
    for (method, backup_type, expected) in
        [("Physical", "Auto", "OK"), ("Physical", "FullBackup", "OK"), ("Physical", "Incremental", TYPE), ("Snapshot", "FullBackup", TYPE)]
    {
        assert_eq!(verdict(&server, &[("BackupMethod", method), ("BackupType", backup_type)]), expected, "{method} {backup_type}");
    }
    assert_eq!(verdict(&InstanceSpec::default(), &[("BackupType", "FullBackup")]), TYPE);
}

#[test]
fn databases_are_named_with_the_strategy_db_only() {
    let mysql = InstanceSpec::default();
    let logical = ("BackupMethod", "Logical");
    for (pairs, expected) in [
        (vec![logical, ("BackupStrategy", "db"), ("DBName", "orders,users")], "OK"),
        (vec![logical, ("BackupStrategy", "instance")], "OK"),
        (vec![("BackupStrategy", "instance")], "OK"),
        (vec![logical, ("BackupStrategy", "db")], "MissingParameter"),
        (vec![logical, ("DBName", "orders")], "InvalidParameter"),
        (vec![logical, ("BackupStrategy", "table")], "InvalidParameter"),
        (vec![("BackupStrategy", "db"), ("DBName", "orders")], "InvalidParameter"),
        (vec![logical, ("BackupStrategy", "db"), ("DBName", "orders,")], "InvalidDBName.Format"),
        (vec![logical, ("BackupStrategy", "db"), ("DBName", "orders, users")], "InvalidDBName.Format"),
        (vec![logical, ("BackupStrategy", "db"), ("DBName", "orders,orders")], "InvalidDBName.Format"),
        (vec![logical, ("BackupStrategy", "db"), ("DBName", "[\"orders\"]")], "InvalidDBName.Format"),
        (vec![logical, ("BackupStrategy", "db"), ("DBName", "archive")], "InvalidDB.NotFound"),
    ] {
        assert_eq!(verdict(&mysql, &pairs), expected, "{pairs:?}");
    }
    let server = InstanceSpec::new(Engine::SQLServer, "2019_ent", "cloud_essd");
    let db = [("BackupStrategy", "db"), ("DBName", "orders")];
    assert_eq!(verdict(&server, &[db[0], db[1], ("BackupType", "FullBackup")]), "OK");
    assert_eq!(verdict(&server, &[db[0], db[1], ("BackupType", "Auto")]), "InvalidParameter");
    let cloud = InstanceSpec::new(Engine::MySQL, "8.0", "cloud_essd");
    assert_eq!(verdict(&cloud, &[("BackupMethod", "Snapshot"), ("BackupStrategy", "instance")]), "InvalidParameter");
}

#[test]
fn a_retention_is_of_mysql_or_of_single_databases_of_sql_server() {
    let retention = |days| ("BackupRetentionPeriod", days);
    let mysql = InstanceSpec::default();
    for (days, expected) in [
        ("7", "OK"),
        ("730", "OK"),
        ("-1", "OK"),
        ("6", "InvalidParameter"),
        ("731", "InvalidParameter"),
        ("0", "InvalidParameter"),
        ("a", "InvalidParameter"),
    ] {
        assert_eq!(verdict(&mysql, &[retention(days)]), expected, "{days}");
    }
    let server = InstanceSpec::new(Engine::SQLServer, "2019_ent", "cloud_essd");
    let full = ("BackupType", "FullBackup");
    assert_eq!(verdict(&server, &[retention("30"), full]), "InvalidParameter");
    assert_eq!(verdict(&server, &[retention("30"), full, ("BackupStrategy", "db"), ("DBName", "orders")]), "OK");
    assert_eq!(verdict(&InstanceSpec::new(Engine::PostgreSQL, "16.0", "cloud_essd"), &[retention("30")]), "InvalidParameter");
}

#[test]
fn only_a_running_unlocked_primary_is_backed_up() {
    let with = |change: fn(&mut InstanceSpec)| {
        let mut spec = InstanceSpec::default();
        change(&mut spec);
        verdict(&spec, &[])
    };
    assert_eq!(with(|spec| spec.kind = "Readonly".into()), "ReadDBInstanceNotSupport");
    assert_eq!(with(|spec| spec.kind = "Guard".into()), "IncorrectDBInstanceCharacterType");
    assert_eq!(with(|spec| spec.status = "Stopped".into()), "IncorrectDBInstanceState");
    assert_eq!(with(|spec| spec.lock_mode = "LockByDiskQuota".into()), "IncorrectDBInstanceLockMode.ValueNotSupported");
}

#[test]
fn a_logical_backup_needs_a_database() {
    let spec = InstanceSpec { databases: Vec::new(), ..InstanceSpec::default() };
    assert_eq!(verdict(&spec, &[("BackupMethod", "Logical")]), METHOD);
    assert_eq!(verdict(&spec, &[("BackupMethod", "Physical")]), "OK");
}
