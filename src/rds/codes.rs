//! The meaning of the service's error codes. Codes decide, not HTTP statuses or messages: the service answers throttling and internal
//! failures with 400, and the daily limit with 403. All spellings are the service's own, also the wrong ones. `error-codes.tsv` has every
//! row that the service and the sources of its clients publish (error pages of CreateBackup, DescribeBackups, DescribeBackupTasks and
//! DeleteBackup, <https://help.aliyun.com/document_detail/26272.html>; RDS client errors, document 26313; gateway errors, document 434846);
//! `error-families.tsv` has the beginnings of codes that decide if the whole code is not in the first table.

use std::{collections::HashMap, sync::LazyLock};

use super::{
    meaning::{Created, ErrorClass, ErrorKind, Meaning},
    table,
};

const CODES: &str = include_str!("error-codes.tsv");
const FAMILY_ROWS: &str = include_str!("error-families.tsv");

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedError {
    /// The code as the service spells it. A row for a case without a code has blanks here, for example `timeout after send`.
    pub code: &'static str,
    /// The operations whose pages have it, separated by commas.
    pub operations: &'static str,
    /// Its HTTP status as published, also `403/400`, `5xx` and `-`.
    pub http_status: &'static str,
    /// What it means.
    pub meaning: Meaning,
    /// The service's message, if one is published.
    pub message: &'static str,
}

/// The meaning of a code that is in neither table. It never counts as a refusal.
const UNLISTED: Meaning = Meaning {
    kind: ErrorKind::Unrecognised,
    class: ErrorClass::Config,
    created: Created::Unknown,
    cure: "Nothing to do: the operator looks for the backup before it asks again",
};

/// The meaning of a server fault, whatever its code: a gateway that passed the request on may answer with a code of refusal.
pub(super) const SERVER_FAULT: Meaning = Meaning { kind: ErrorKind::ServiceFault, class: ErrorClass::Retry, ..UNLISTED };

/// Every row of the table, in the order of its sources.
pub fn published_errors() -> &'static [PublishedError] {
    static ROWS: LazyLock<Vec<PublishedError>> = LazyLock::new(|| {
        let row = |(code, operations, http_status, class, kind, created, cure, message)| {
            let meaning = Meaning { kind, class, created, cure };
            PublishedError { code, operations, http_status, meaning, message }
        };
        table::rows(CODES).map(row).collect()
    });
    &ROWS
}

/// The meaning of a code. Upper and lower case are the same: the service itself writes `Pay.NoCreditCard` and `pay.noCreditCard`.
pub fn meaning_of(code: &str) -> Meaning {
    static BY_CODE: LazyLock<HashMap<String, Meaning>> =
        LazyLock::new(|| published_errors().iter().map(|row| (row.code.to_ascii_lowercase(), row.meaning)).collect());
    let begins = |beginning: &str| code.get(..beginning.len()).is_some_and(|head| head.eq_ignore_ascii_case(beginning));
    let family = || error_families().iter().find(|(beginning, _)| begins(beginning)).map(|(_, meaning)| *meaning);
    BY_CODE.get(&code.to_ascii_lowercase()).copied().or_else(family).unwrap_or(UNLISTED)
}

/// A code as the table spells it, for a metric's label: what the service, or anything in front of it, answers may be any text. None for a
/// code that is not in the table; any other code of throttling stands as `Throttling`.
pub fn published_code(code: &str) -> Option<&'static str> {
    static BY_CODE: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
        let codes = published_errors().iter().rev().map(|row| row.code).filter(|code| !code.contains(' '));
        codes.map(|code| (code.to_ascii_lowercase(), code)).collect()
    });
    let is_throttling = || meaning_of(code).kind == ErrorKind::Throttled;
    BY_CODE.get(&code.to_ascii_lowercase()).copied().or_else(|| is_throttling().then_some("Throttling"))
}

/// Beginnings of codes that decide if the whole code is not known. The gateway, or the check of the request, answers all of them before the
/// service acts. `Invalid` is not one of them: the name of an undocumented code proves nothing.
pub fn error_families() -> &'static [(&'static str, Meaning)] {
    static FAMILIES: LazyLock<Vec<(&str, Meaning)>> = LazyLock::new(|| {
        let row = |(beginning, class, kind, created, cure)| (beginning, Meaning { kind, class, created, cure });
        table::rows(FAMILY_ROWS).map(row).collect()
    });
    &FAMILIES
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::{
        ErrorKind::{
            AccessDenied, AccountProblem, BackupJobExists, ClockSkew, DailyLimit, DatabaseNotReady, DeniedByService, EncryptionKey,
            InstanceNotFound, InstanceNotReady, InvalidCredentials, InvalidParameter, NonceUsed, RegionUnavailable, ServiceFault,
            Throttled, TokenExpired, Unrecognised, UnsupportedInstance, UnsupportedMethod, WrongEndpoint,
        },
        *,
    };

    /// The judge of the table: every row that the service's pages and its clients' sources have, with the class that they give it.
    const JUDGE: &str = include_str!("../../tests/fixtures/error-codes.tsv");

    #[test]
    fn the_table_is_whole_and_its_classes_are_the_sources() {
        let ours = published_errors();
        let theirs: Vec<[&str; 4]> = table::rows(JUDGE).collect();
        assert_eq!((ours.len(), theirs.len()), (173, 173), "a row that cannot be read is left out");
        let mut classes = BTreeMap::new();
        for (ours, theirs) in ours.iter().zip(theirs) {
            let [operations, status, code, class] = theirs;
            let named = operations.trim_matches(['*', '(', ')']);
            assert_eq!((ours.operations, ours.http_status, ours.code), (named, status, code));
            assert_eq!(ours.meaning.class.to_string(), class, "{code}");
            *classes.entry(class).or_insert(0) += 1;
        }
        assert_eq!(classes, BTreeMap::from([("config", 83), ("account", 44), ("retry", 31), ("wait", 14), ("quota", 1)]));
        assert_eq!(error_families().len(), FAMILY_ROWS.lines().count() - 1, "every family can be read");
    }

    #[test]
    fn a_class_has_its_kinds() {
        for row in published_errors() {
            let allowed: &[ErrorKind] = match row.meaning.class {
                ErrorClass::Config if row.code.contains(' ') => &[Unrecognised],
                ErrorClass::Config => &[
                    InstanceNotFound,
                    UnsupportedMethod,
                    UnsupportedInstance,
                    InvalidParameter,
                    DatabaseNotReady,
                    RegionUnavailable,
                    WrongEndpoint,
                    DeniedByService,
                    AccountProblem,
                    ClockSkew,
                ],
                ErrorClass::Account => &[AccessDenied, InvalidCredentials, AccountProblem, EncryptionKey, DeniedByService],
                ErrorClass::Retry => &[ServiceFault, Throttled, NonceUsed, ClockSkew, TokenExpired],
                ErrorClass::Wait => &[InstanceNotReady, BackupJobExists, ServiceFault],
                ErrorClass::Quota => &[DailyLimit],
            };
            assert!(allowed.contains(&row.meaning.kind), "{row:?}");
        }
    }

    #[test]
    fn an_error_that_may_have_made_a_backup_is_never_a_refusal() {
        let meanings = published_errors().iter().map(|row| (row.code, row.meaning));
        let families = error_families().iter().copied();
        for (code, meaning) in meanings.chain(families).chain([("", UNLISTED), ("5xx", SERVER_FAULT)]) {
            let doubtful = matches!(meaning.kind, BackupJobExists | NonceUsed | ServiceFault | Unrecognised);
            assert_eq!(meaning.created == Created::Unknown, doubtful, "{code}: {meaning:?}");
        }
    }

    #[test]
    fn a_code_has_one_meaning_and_every_cure_is_a_sentence() {
        let mut meanings: HashMap<String, Meaning> = HashMap::new();
        for row in published_errors() {
            let first = *meanings.entry(row.code.to_ascii_lowercase()).or_insert(row.meaning);
            assert_eq!(first, row.meaning, "{}", row.code);
            assert_eq!(meaning_of(row.code), row.meaning, "{}", row.code);
            let cure = row.meaning.cure;
            assert!(cure.starts_with(char::is_uppercase) && !cure.ends_with('.') && cure.len() < 140, "{cure}");
        }
        let codes: HashSet<_> = published_errors().iter().map(|row| row.code).collect();
        assert!(codes.contains("InvalideStatus.Format") && codes.contains("NoPermisson") && codes.contains("Forbedden.NotSupportRAM"));
    }

    #[test]
    fn a_label_has_only_codes_of_the_table() {
        for (code, label) in [
            ("Forbidden.RAM", Some("Forbidden.RAM")),
            ("forbidden.ram", Some("Forbidden.RAM")),
            ("PAY.NOCREDITCARD", Some("pay.noCreditCard")),
            ("Throttling.SomeNewOne", Some("Throttling")),
            ("Rejected.Throttling", Some("Rejected.Throttling")),
            ("Forbidden.SomeNewOne", None),
            ("timeout after send", None),
            ("(unreadable)", None),
            ("", None),
        ] {
            assert_eq!(published_code(code), label, "{code}");
        }
    }

    #[test]
    fn families_and_unlisted_codes() {
        for (code, kind) in [
            ("Throttling.SomeNewOne", Throttled),
            ("Forbidden.SomeNewOne", AccessDenied),
            ("Forbidden.InstanceNotFound", InstanceNotFound),
            ("Forbidden.RegionNotFound", RegionUnavailable),
            ("InvalidRegionId", RegionUnavailable),
            ("InvalidAccessKeyId", InvalidCredentials),
            ("InvalidParameter.SomeNewOne", InvalidParameter),
            ("MissingDBInstanceId", InvalidParameter),
            ("InvalidTimeStamp", ClockSkew),
            ("PAY.NOCREDITCARD", AccountProblem),
            ("InvalidSomethingNew.Format", Unrecognised),
            ("ForbiddenSomethingNew", Unrecognised),
            ("OperationDenied.SomethingNew", Unrecognised),
            ("timeout", Unrecognised),
            ("", Unrecognised),
        ] {
            assert_eq!(meaning_of(code).kind, kind, "{code}");
        }
    }
}
