//! What the service's error codes mean. Codes decide, not HTTP statuses or messages: throttling and internal failures come as 400, the
//! daily limit as 403. Spellings, the wrong ones included, are the service's own. The tables are data: `error-codes.tsv` has every row that
//! the service and the sources of its clients publish (error pages of CreateBackup, DescribeBackups, DescribeBackupTasks and DeleteBackup,
//! <https://help.aliyun.com/document_detail/26272.html>; RDS client errors, document 26313; gateway errors, document 434846),
//! `error-families.tsv` the beginnings of codes that decide where the whole code is not known.

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
    /// The code as the service spells it. What is no code but a case has blanks in it, such as `timeout after send`.
    pub code: &'static str,
    /// The operations whose pages have it, parted by commas.
    pub operations: &'static str,
    /// The HTTP status with which it comes, as published: `403/400`, `5xx` and `-` occur.
    pub http_status: &'static str,
    /// What it means.
    pub meaning: Meaning,
    /// The service's message, where one is published.
    pub message: &'static str,
}

/// A code that is in neither table. It never counts as a refusal.
const UNLISTED: Meaning = Meaning {
    kind: ErrorKind::Unrecognised,
    class: ErrorClass::Config,
    created: Created::Unknown,
    cure: "Nothing to do: the operator looks for the backup before it asks again",
};

/// Whatever a server fault says: a code of refusal on it is a gateway's guess.
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

/// What a code means. Upper and lower case are the same: the service itself writes `Pay.NoCreditCard` and `pay.noCreditCard`.
pub fn meaning_of(code: &str) -> Meaning {
    static BY_CODE: LazyLock<HashMap<String, Meaning>> =
        LazyLock::new(|| published_errors().iter().map(|row| (row.code.to_ascii_lowercase(), row.meaning)).collect());
    let begins = |beginning: &str| code.get(..beginning.len()).is_some_and(|head| head.eq_ignore_ascii_case(beginning));
    let family = || error_families().iter().find(|(beginning, _)| begins(beginning)).map(|(_, meaning)| *meaning);
    BY_CODE.get(&code.to_ascii_lowercase()).copied().or_else(family).unwrap_or(UNLISTED)
}

/// Beginnings of codes that decide where the whole code is not known. All of them come from the gateway or from the check of the request,
/// before the service acts. There is no `Invalid`: of a code that nobody has documented, the name alone proves nothing.
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
            AccessDenied, AccountProblem, BackupJobExists, ClockSkew, DailyLimit, InstanceNotFound, InstanceNotReady, InvalidCredentials,
            InvalidParameter, NonceUsed, ServiceFault, Throttled, TokenExpired, Unrecognised, UnsupportedInstance, UnsupportedMethod,
        },
        *,
    };

    /// The judge: every row that the service's pages and its clients' sources have, with the class in which they put it.
    const JUDGE: &str = include_str!("../../tests/fixtures/error-codes.tsv");

    #[test]
    fn the_table_is_whole_and_its_classes_are_the_sources() {
        let ours = published_errors();
        let theirs: Vec<[&str; 4]> = table::rows(JUDGE).collect();
        assert_eq!((ours.len(), theirs.len()), (171, 171), "a row that cannot be read is left out");
        let mut classes = BTreeMap::new();
        for (ours, theirs) in ours.iter().zip(theirs) {
            let [operations, status, code, class] = theirs;
            let named = operations.trim_matches(['*', '(', ')']);
            assert_eq!((ours.operations, ours.http_status, ours.code), (named, status, code));
            assert_eq!(ours.meaning.class.to_string(), class, "{code}");
            *classes.entry(class).or_insert(0) += 1;
        }
        assert_eq!(classes, BTreeMap::from([("config", 82), ("account", 44), ("retry", 30), ("wait", 14), ("quota", 1)]));
        assert_eq!(error_families().len(), FAMILY_ROWS.lines().count() - 1, "every family can be read");
    }

    #[test]
    fn a_class_has_its_kinds() {
        for row in published_errors() {
            let allowed: &[ErrorKind] = match row.meaning.class {
                ErrorClass::Config if row.code.contains(' ') => &[Unrecognised],
                ErrorClass::Config => {
                    &[InstanceNotFound, UnsupportedMethod, UnsupportedInstance, InvalidParameter, AccessDenied, AccountProblem, ClockSkew]
                }
                ErrorClass::Account => &[AccessDenied, InvalidCredentials, AccountProblem],
                ErrorClass::Retry => &[ServiceFault, Throttled, NonceUsed, ClockSkew, TokenExpired],
                ErrorClass::Wait => &[InstanceNotReady, BackupJobExists, ServiceFault],
                ErrorClass::Quota => &[DailyLimit],
            };
            assert!(allowed.contains(&row.meaning.kind), "{row:?}");
        }
    }

    #[test]
    fn what_may_have_made_a_backup_is_never_called_a_refusal() {
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
    fn families_and_unlisted_codes() {
        for (code, kind) in [
            ("Throttling.SomeNewOne", Throttled),
            ("Forbidden.SomeNewOne", AccessDenied),
            ("Forbidden.InstanceNotFound", InstanceNotFound),
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
