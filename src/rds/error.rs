//! What the service's error codes prove. Codes decide, never HTTP statuses or messages: throttling and internal failures come as 400, the
//! daily limit as 403. Spellings, the wrong ones included, are the service's own: <https://help.aliyun.com/document_detail/26307.html>.

/// An error that the service answered, in its own words, made safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// `Code`
    pub code: String,
    /// `Message`: at most 256 bytes, without addresses, and without the text that was signed.
    pub message: String,
    /// `RequestId`, for the service's support.
    pub request_id: Option<String>,
    /// The HTTP status; it decides nothing where the code is known.
    pub http_status: u16,
}

/// Why a call gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The service answered with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Nothing left this process: no connection, or our own limit.
    #[error("not sent: {why}")]
    NotSent {
        /// Why.
        why: String,
    },
    /// It was sent, and no answer that can be read came back.
    #[error("sent, and the answer was lost: {why}")]
    Lost {
        /// Why.
        why: String,
    },
}

/// What an error code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No such instance in this region, or not of this account.
    InstanceNotFound,
    /// The engine, the disk or the role of the instance does not allow this kind of backup.
    UnsupportedMethod,
    /// The request itself is wrong.
    InvalidParameter,
    /// The RAM user or role may not do this.
    AccessDenied,
    /// The access key, its secret or its token is wrong.
    InvalidCredentials,
    /// The cloud account is blocked: billing, identity, risk control.
    AccountProblem,
    /// Another backup job runs on the instance. It may be a copy of the very same request that was delivered before.
    BackupJobExists,
    /// The instance is in a state, or a lock, that passes.
    InstanceNotReady,
    /// The backups of the day are used up.
    DailyLimit,
    /// Too many calls.
    Throttled,
    /// The request's time is too far from the service's.
    ClockSkew,
    /// The nonce was seen before: a copy of this request was delivered before.
    NonceUsed,
    /// The service failed; what it did before that is not known.
    ServiceFault,
    /// A code that is not in our tables.
    Unrecognised,
}

impl ErrorKind {
    /// Whether an error of this kind proves that the request made no backup. When in doubt it does not.
    pub fn proves_nothing_was_created(self) -> bool {
        !matches!(self, Self::BackupJobExists | Self::NonceUsed | Self::ServiceFault | Self::Unrecognised)
    }
}

impl ApiError {
    /// What the code means.
    pub fn kind(&self) -> ErrorKind {
        let kind = kind_of(&self.code);
        // A code of refusal on a 5xx is a gateway's guess; only throttling is decided before the service acts.
        if self.http_status >= 500 && kind != ErrorKind::Throttled { ErrorKind::ServiceFault } else { kind }
    }
}

use ErrorKind::{
    AccessDenied, AccountProblem, BackupJobExists, ClockSkew, DailyLimit, InstanceNotFound, InstanceNotReady, InvalidCredentials, InvalidParameter, NonceUsed,
    ServiceFault, Throttled, UnsupportedMethod,
};

/// Codes in lower case: the service spells `Pay.NoCreditCard` and `pay.noCreditCard`.
const CODES: &[(&str, ErrorKind)] = &[
    ("invaliddbinstanceid.notfound", InstanceNotFound),
    ("invaliddbinstancename.notfound", InstanceNotFound),
    ("invaliddbinstance.notfound", InstanceNotFound),
    ("forbidden.instancenotfound", InstanceNotFound),
    ("invalidbackupmethod.valuenotsupport", UnsupportedMethod),
    ("backuptype.notsupport", UnsupportedMethod),
    ("operationdenied.notsupportedbackupmethod", UnsupportedMethod),
    ("readdbinstancenotsupport", UnsupportedMethod),
    ("cloudssdnotsupport", UnsupportedMethod),
    ("incorrectdbinstanceengine", UnsupportedMethod),
    ("incorrectdbinstancetype", UnsupportedMethod),
    ("incorrectdbinstancecharactertype", UnsupportedMethod),
    ("incorrectminorversion", UnsupportedMethod),
    ("api.notsupport", InvalidParameter),
    ("parameters.invalid", InvalidParameter),
    ("requiredparam.notfound", InvalidParameter),
    ("nosuchversion", InvalidParameter),
    ("actionunauthorized", AccessDenied),
    ("authenticationfail.nopermission", AccessDenied),
    ("forbedden.notsupportram", AccessDenied),
    ("forbidden", AccessDenied),
    ("invaliduseroperatorpermission", AccessDenied),
    ("nopermission", AccessDenied),
    ("nopermisson", AccessDenied),
    ("notinflowcontroller", AccessDenied),
    ("operationdenied.apiforbidden", AccessDenied),
    ("abs.invalidaccount.notfound", InvalidCredentials),
    ("entitynotexist.role", InvalidCredentials),
    ("incompletesignature", InvalidCredentials),
    ("missingsecuritytoken", InvalidCredentials),
    ("signaturedoesnotmatch", InvalidCredentials),
    ("basicinfouncompleted", AccountProblem),
    ("containforbiddenlabelerror", AccountProblem),
    ("forbidden.authentication", AccountProblem),
    ("forbidden.riskcontrol", AccountProblem),
    ("forbidden.userverification", AccountProblem),
    ("noavailablepaymentmethod", AccountProblem),
    ("orderstatus.unpaid", AccountProblem),
    ("realnameauthenticationerror", AccountProblem),
    ("risk.riskcontrolrejection", AccountProblem),
    ("backupjobexists", BackupJobExists),
    ("concurrenttaskexceeded", InstanceNotReady),
    ("incorrectdbinstancestate", InstanceNotReady),
    ("incorrectdbinstancelockmode", InstanceNotReady),
    ("incorrectdbinstancelockmode.valuenotsupported", InstanceNotReady),
    ("invalidestatus.format", InstanceNotReady),
    ("mirrorinsexists", InstanceNotReady),
    ("operationdenied.dbinstancestatus", InstanceNotReady),
    ("operationdenied.dbstatus", InstanceNotReady),
    ("operationdenied.outofusage", InstanceNotReady),
    ("exceeded.backuptimes", DailyLimit),
    ("rejected.throttling", Throttled),
    ("illegaltimestamp", ClockSkew),
    ("invalidtimestamp.expired", ClockSkew),
    ("invalidtimestamp.format", ClockSkew),
    ("signaturenonceused", NonceUsed),
    ("internalfailure", ServiceFault),
    ("internalerror", ServiceFault),
    ("serviceunavailable", ServiceFault),
    ("timeoutretrylater", ServiceFault),
    ("connecttimeoutretrylater", ServiceFault),
    ("io.exception", ServiceFault),
    ("locktimeout", ServiceFault),
];

/// Families of codes. All of them are answered by the gateway or by the check of the request, before the service acts.
const PREFIXES: &[(&str, ErrorKind)] = &[
    ("throttling", Throttled),
    ("invalidaccesskeyid", InvalidCredentials),
    ("invalidsecuritytoken", InvalidCredentials),
    ("authenticationfail", InvalidCredentials),
    ("forbidden.", AccessDenied),
    ("nopermission.", AccessDenied),
    ("insufficient", AccountProblem),
    ("order.", AccountProblem),
    ("pay.", AccountProblem),
    ("unsupported", InvalidParameter),
    ("missing", InvalidParameter),
    ("invalid", InvalidParameter),
];

fn kind_of(code: &str) -> ErrorKind {
    let code = code.to_ascii_lowercase();
    let known = CODES.iter().find(|(known, _)| *known == code);
    let family = || PREFIXES.iter().find(|(prefix, _)| code.starts_with(prefix));
    known.or_else(family).map_or(ErrorKind::Unrecognised, |(_, kind)| *kind)
}

/// The longest message that is kept, bytes.
const LONGEST_MESSAGE: usize = 256;

/// The service's words, made safe: without control characters, without addresses (they may be signed), and not at all where the service
/// repeats what was signed, which holds the access key id.
pub(super) fn safe_message(code: &str, message: &str) -> String {
    let code = code.to_ascii_lowercase();
    if code.starts_with("signature") || code == "incompletesignature" || code.starts_with("invalidaccesskeyid") || code.starts_with("invalidsecuritytoken") {
        return "the service does not accept the signature, the key or the token".to_owned();
    }
    let words: Vec<&str> = message.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let text = words.iter().map(|word| if word.contains("://") { "(address)" } else { word }).collect::<Vec<_>>().join(" ");
    cut(&text, LONGEST_MESSAGE).to_owned()
}

/// The longest beginning of at most `limit` bytes that ends between two characters.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, http_status: u16) -> ApiError {
        ApiError { code: code.into(), message: String::new(), request_id: None, http_status }
    }

    #[test]
    fn codes_decide() {
        for (code, status, kind, nothing_created) in [
            ("InvalidDBInstanceId.NotFound", 400, InstanceNotFound, true),
            ("InvalidDBInstanceName.NotFound", 404, InstanceNotFound, true),
            ("InvalidBackupMethod.ValueNotSupport", 400, UnsupportedMethod, true),
            ("InvalidParameter", 400, InvalidParameter, true),
            ("InvalidSomethingNew.Format", 400, InvalidParameter, true),
            ("Forbidden.RAM", 403, AccessDenied, true),
            ("NoPermisson", 403, AccessDenied, true),
            ("InvalidAccessKeyId.NotFound", 404, InvalidCredentials, true),
            ("SignatureDoesNotMatch", 400, InvalidCredentials, true),
            ("pay.noCreditCard", 400, AccountProblem, true),
            ("Forbidden.RiskControl", 403, AccountProblem, true),
            ("IncorrectDBInstanceState", 403, InstanceNotReady, true),
            ("Exceeded.BackupTimes", 403, DailyLimit, true),
            ("Throttling.User", 400, Throttled, true),
            ("Throttling.Api", 503, Throttled, true),
            ("InvalidTimeStamp.Expired", 400, ClockSkew, true),
            ("BackupJobExists", 400, BackupJobExists, false),
            ("SignatureNonceUsed", 400, NonceUsed, false),
            ("InternalFailure", 400, ServiceFault, false),
            ("ServiceUnavailable", 503, ServiceFault, false),
            ("InvalidParameter", 502, ServiceFault, false),
            ("Forbidden", 500, ServiceFault, false),
            ("SomethingNobodyKnows", 400, ErrorKind::Unrecognised, false),
            ("", 200, ErrorKind::Unrecognised, false),
        ] {
            let found = error(code, status).kind();
            assert_eq!((found, found.proves_nothing_was_created()), (kind, nothing_created), "{code} {status}");
        }
    }

    #[test]
    fn the_table_has_each_code_once_in_lower_case() {
        let mut seen = std::collections::HashSet::new();
        for (code, _) in CODES {
            assert!(seen.insert(code) && *code == code.to_ascii_lowercase(), "{code}");
        }
    }

    #[test]
    fn words_of_the_service_are_made_safe() {
        let echoed = "Specified signature is not matched with our calculation. server string to sign is: GET&%2F&AccessKeyId%3DLTAIsecret";
        assert!(!safe_message("SignatureDoesNotMatch", echoed).contains("LTAI"));
        assert!(!safe_message("InvalidAccessKeyId.NotFound", "LTAIsecret is not found").contains("LTAI"));
        assert_eq!(safe_message("X", "see\r\n https://oss.example/x?Signature=abc\u{7}now"), "see (address) now");
        assert_eq!(safe_message("X", &"é".repeat(200)).len(), 256);
        assert_eq!(safe_message("X", &format!("a{}", "é".repeat(200))).len(), 255, "cut between characters");
    }
}
