//! Every error code: every row of `src/rds/error-codes.tsv` and of `src/rds/error-families.tsv`.

use std::fmt::Write as _;

use rds_backup_operator::{
    backup::decide::reason_when_submitted,
    rds::{Created, ErrorClass, Meaning, error_families, published_errors},
};

use super::reason_link;

const CLASSES: [(ErrorClass, &str); 5] = [
    (ErrorClass::Config, "The object or the configuration is wrong: its author must change it."),
    (ErrorClass::Account, "The cloud account or its key may not do this: its owner must grant, pay or renew something."),
    (ErrorClass::Retry, "A fault of the service or the network. The operator tries again by itself."),
    (ErrorClass::Wait, "The instance is busy, locked or not running. The operator waits."),
    (ErrorClass::Quota, "The service's limit of backups per day. The operator waits."),
];

const WITHOUT_A_CODE: &str = "\
## Without a code

| What happens | Backup | Reason | What to do |
|---|---|---|---|
| No connection: refused, no such host, no TLS, none within 5 s | none made | [`ServiceUnavailable`](conditions.md#serviceunavailable) | Check the network and the account's endpoint; the operator tries again |
| The connection ends or resets after the request was sent, or 30 s pass without a whole answer | unknown | [`OutcomeUnknown`](conditions.md#outcomeunknown) | Nothing to do: the operator looks for the backup before it asks again |
| Any answer with a status of 500 or above (503 with a code of throttling is throttling) | unknown | [`OutcomeUnknown`](conditions.md#outcomeunknown) | Nothing to do: the operator looks for the backup before it asks again |
| An answer that is neither JSON nor XML of the service, or an error without a request id | unknown | [`OutcomeUnknown`](conditions.md#outcomeunknown) | Nothing to do: the operator looks for the backup before it asks again |
";

pub fn page() -> String {
    let mut out = String::from("# Errors of the service\n\n");
    out.push_str(
        "How the operator treats an error that CreateBackup returns: `status.lastError.code` has the code, the condition `Ready` has the \
         reason. The code decides, in upper or lower case, and not the HTTP status or the message; spellings are the service's own.\n\n\
         The column \"Backup\" says what the error proves. *None made*: the request made no backup and may be sent again. *Unknown*: the request \
         may have made a backup, so the operator looks for it first. An error with an HTTP status of 500 or above is *unknown* whatever its \
         code, except throttling with 503; so is an error without a request id. If a read returns the same error, this never ends a backup.\n\n",
    );
    for (class, explanation) in CLASSES {
        let _ = write!(out, "## {class}\n\n{explanation}\n\n");
        out.push_str(
            "| Code | HTTP | Operations | The service's message | Backup | Reason | What to do |\n|---|---|---|---|---|---|---|\n",
        );
        for row in published_errors().iter().filter(|row| row.meaning.class == class) {
            // These rows are not codes but cases without a code: the transport distinguishes them, and "Without a code" describes them.
            if row.code.contains(' ') {
                continue;
            }
            let message = row.message.replace('|', "\\|").replace('<', "\\<");
            let operations = row.operations.replace(',', ", ");
            let _ = writeln!(out, "| `{}` | {} | {operations} | {message} | {}", row.code, row.http_status, rest(&row.meaning));
        }
        out.push('\n');
    }
    out.push_str(WITHOUT_A_CODE);
    out.push_str(
        "\n## Codes that are not listed\n\nThe beginning of the code decides. A code with none of these beginnings is *unknown*.\n\n",
    );
    out.push_str("| Beginning | Class | Backup | Reason | What to do |\n|---|---|---|---|---|\n");
    for (beginning, meaning) in error_families() {
        let _ = writeln!(out, "| `{beginning}` | {} | {}", meaning.class, rest(meaning));
    }
    out
}

fn rest(meaning: &Meaning) -> String {
    let created = match meaning.created {
        Created::Nothing => "none made",
        Created::Unknown => "unknown",
    };
    format!("{created} | {} | {} |", reason_link(reason_when_submitted(meaning)), meaning.cure)
}
