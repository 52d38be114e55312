//! What the service's error codes mean. Codes decide, not HTTP statuses or messages: throttling and internal failures come as 400, the
//! daily limit as 403. Spellings, the wrong ones included, are the service's own. Sources: the error tables of CreateBackup,
//! DescribeBackups and DescribeBackupTasks (<https://help.aliyun.com/document_detail/26272.html>), the RDS client errors (document 26313)
//! and the gateway's (434846).

use super::ErrorKind::{
    self, AccessDenied, AccountProblem, BackupJobExists, ClockSkew, DailyLimit, InstanceNotFound, InstanceNotReady, InvalidCredentials,
    InvalidParameter, NonceUsed, ServiceFault, Throttled, Unrecognised, UnsupportedMethod,
};

/// What a code means. Upper and lower case are the same: the service itself writes `Pay.NoCreditCard` and `pay.noCreditCard`.
pub(super) fn kind_of(code: &str) -> ErrorKind {
    let code = code.to_ascii_lowercase();
    let known = CODES.iter().find(|(known, _)| *known == code);
    let family = || FAMILIES.iter().find(|(beginning, _)| code.starts_with(beginning));
    known.or_else(family).map_or(Unrecognised, |(_, kind)| *kind)
}

/// Whole codes, in lower case. A code that is missing here and below is [`Unrecognised`], which never counts as a refusal.
const CODES: &[(&str, ErrorKind)] = &[
    ("datanotexist", InstanceNotFound),
    ("forbidden.instancenotfound", InstanceNotFound),
    ("invaliddbinstance.notfound", InstanceNotFound),
    ("invaliddbinstanceid.notfound", InstanceNotFound),
    ("invaliddbinstancename.notfound", InstanceNotFound),
    ("productinstancereleased", InstanceNotFound),
    //
    ("backuptype.notsupport", UnsupportedMethod),
    ("cloudssdnotsupport", UnsupportedMethod),
    ("incorrectdbinstancecharactertype", UnsupportedMethod),
    ("incorrectdbinstanceengine", UnsupportedMethod),
    ("incorrectdbinstancetype", UnsupportedMethod),
    ("incorrectminorversion", UnsupportedMethod),
    ("incorrecttargetclasscode", UnsupportedMethod),
    ("invalidbackupmethod.valuenotsupport", UnsupportedMethod),
    ("invaliddbinstanceenginetype.format", UnsupportedMethod),
    ("operationdenied.notsupportedbackupmethod", UnsupportedMethod),
    ("readdbinstancenotsupport", UnsupportedMethod),
    //
    ("api.notsupport", InvalidParameter),
    ("backuppolicynotsupport", InvalidParameter),
    ("commodity.invalidcomponent", InvalidParameter),
    ("invalidaction", InvalidParameter),
    ("invalidaction.notfound", InvalidParameter),
    ("invalidapi.notfound", InvalidParameter),
    ("invalidbackupset", InvalidParameter),
    ("invalidbackupsetlocation.format", InvalidParameter),
    ("invalidconnectionstring.duplicate", InvalidParameter),
    // The database does not exist, or is not ready: the service does not tell which.
    ("invaliddb.notfound", InvalidParameter),
    ("invaliddbinstanceclass.valuenotsupported", InvalidParameter),
    ("invaliddbname.format", InvalidParameter),
    ("invalidendtime.format", InvalidParameter),
    ("invalidinstancelevel.disktype", InvalidParameter),
    ("invalidinstancelevel.malformed", InvalidParameter),
    ("invalidmaxrecordsperpage.malformed", InvalidParameter),
    ("invalidowner", InvalidParameter),
    ("invalidowneraccount", InvalidParameter),
    ("invalidownerid", InvalidParameter),
    ("invalidpagenumbers.malformed", InvalidParameter),
    ("invalidparam", InvalidParameter),
    ("invalidpreferredbackuptime.format", InvalidParameter),
    ("invalidproduct.notfound", InvalidParameter),
    ("invalidprotocol.needssl", InvalidParameter),
    ("invalidreducedisksize", InvalidParameter),
    ("invalidreleasedkeeppolicy.format", InvalidParameter),
    ("invalidrestoretime.malformed", InvalidParameter),
    ("invalidstarttime.format", InvalidParameter),
    ("invalidversion", InvalidParameter),
    ("invalidvswitchid", InvalidParameter),
    ("nosuchversion", InvalidParameter),
    ("parameters.invalid", InvalidParameter),
    ("requiredparam.notfound", InvalidParameter),
    ("unsupportedclasscode", InvalidParameter),
    ("unsupportedhttpmethod", InvalidParameter),
    ("unsupportedoperation", InvalidParameter),
    ("unsupportedparameter", InvalidParameter),
    ("vpcnetworktypenotsupport", InvalidParameter),
    //
    ("actionunauthorized", AccessDenied),
    ("forbedden.notsupportram", AccessDenied),
    ("forbidden", AccessDenied),
    ("invaliduseroperatorpermission", AccessDenied),
    ("nopermission", AccessDenied),
    ("nopermisson", AccessDenied),
    ("notinflowcontroller", AccessDenied),
    ("operationdenied.apiforbidden", AccessDenied),
    //
    ("incompletesignature", InvalidCredentials),
    ("missingsecuritytoken", InvalidCredentials),
    ("signaturedoesnotmatch", InvalidCredentials),
    //
    ("abs.invalidaccount.notfound", AccountProblem),
    ("basicinfouncompleted", AccountProblem),
    ("containforbiddenlabelerror", AccountProblem),
    ("forbidden.authentication", AccountProblem),
    ("forbidden.riskcontrol", AccountProblem),
    ("forbidden.userverification", AccountProblem),
    ("insufficientavailablequota", AccountProblem),
    ("insufficientbalance", AccountProblem),
    ("invalidclusterkms", AccountProblem),
    ("invalidkmskey", AccountProblem),
    ("kmsapierror", AccountProblem),
    ("noavailablepaymentmethod", AccountProblem),
    ("orderstatus.unpaid", AccountProblem),
    ("realnameauthenticationerror", AccountProblem),
    ("regiondissolvedeom", AccountProblem),
    ("risk.riskcontrolrejection", AccountProblem),
    //
    ("backupjobexists", BackupJobExists),
    //
    ("concurrenttaskexceeded", InstanceNotReady),
    ("incorrectdbinstancelockmode", InstanceNotReady),
    ("incorrectdbinstancelockmode.valuenotsupported", InstanceNotReady),
    ("incorrectdbinstancestate", InstanceNotReady),
    ("invalidestatus.format", InstanceNotReady),
    ("mirrorinsexists", InstanceNotReady),
    ("operationdenied.dbinstancestatus", InstanceNotReady),
    ("operationdenied.dbstatus", InstanceNotReady),
    ("operationdenied.outofusage", InstanceNotReady),
    //
    ("exceeded.backuptimes", DailyLimit),
    //
    ("rejected.throttling", Throttled),
    //
    ("illegaltimestamp", ClockSkew),
    //
    ("signaturenonceused", NonceUsed),
    // Whatever was tried had begun when these came up, so they prove nothing.
    ("commodityservicecalling.exception", ServiceFault),
    ("connecttimeoutretrylater", ServiceFault),
    ("database.connecterror", ServiceFault),
    ("externalfailure", ServiceFault),
    ("hostinfo.notfound", ServiceFault),
    ("instanceconnecttimeoutfault", ServiceFault),
    ("internalerror", ServiceFault),
    ("internalfailure", ServiceFault),
    ("invokeproxyfailure", ServiceFault),
    ("io.exception", ServiceFault),
    ("locktimeout", ServiceFault),
    ("operationdenied.zoneresource", ServiceFault),
    ("ordtcommodityqueryerror", ServiceFault),
    ("price.commoditysys", ServiceFault),
    ("price.pricingplanresultnotfound", ServiceFault),
    ("request.notfound", ServiceFault),
    ("requestmetadatafailed", ServiceFault),
    ("serviceunavailable", ServiceFault),
    ("sqlexecutefailedortimeout", ServiceFault),
    ("system.salevalidatefailed", ServiceFault),
    ("timeoutretrylater", ServiceFault),
];

/// Beginnings of codes, in lower case. All of them come from the gateway or from the check of the request, before the service acts. There
/// is no `invalid`: of a code that nobody has documented, the name alone proves nothing.
const FAMILIES: &[(&str, ErrorKind)] = &[
    ("throttling", Throttled),
    ("invalidtimestamp", ClockSkew),
    ("invalidaccesskey", InvalidCredentials),
    ("invalidsecuritytoken", InvalidCredentials),
    ("forbidden.", AccessDenied),
    ("nopermission.", AccessDenied),
    ("order.", AccountProblem),
    ("pay.", AccountProblem),
    ("regionendtimedissolved", AccountProblem),
    ("colddata.", InvalidParameter),
    ("invalidparameter", InvalidParameter),
    ("missing", InvalidParameter),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code that the service's pages publish for what we call, with the class in which those pages and other clients' sources put it.
    const PUBLISHED: &str = include_str!("../../tests/fixtures/error-codes.tsv");

    #[test]
    fn every_published_code_has_a_meaning_of_its_class() {
        let mut codes = 0;
        for line in PUBLISHED.lines().skip(1) {
            let (code, class) = line.split_once('\t').unwrap();
            let allowed: &[ErrorKind] = match class {
                "config" => &[InstanceNotFound, UnsupportedMethod, InvalidParameter, AccessDenied, AccountProblem, ClockSkew],
                "account" => &[AccessDenied, InvalidCredentials, AccountProblem],
                "retry" => &[ServiceFault, Throttled, NonceUsed, ClockSkew, InvalidCredentials],
                "wait" => &[InstanceNotReady, BackupJobExists, ServiceFault],
                "quota" => &[DailyLimit],
                other => panic!("class {other:?}"),
            };
            assert!(allowed.contains(&kind_of(code)), "{code} of class {class} is {:?}", kind_of(code));
            codes += 1;
        }
        assert!(codes > 130, "{codes}");
    }

    #[test]
    fn families_and_strangers() {
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
            ("", Unrecognised),
        ] {
            assert_eq!(kind_of(code), kind, "{code}");
        }
    }

    #[test]
    fn the_table_has_each_code_once_in_lower_case() {
        let mut seen = std::collections::HashSet::new();
        for (code, _) in CODES.iter().chain(FAMILIES) {
            assert!(seen.insert(code) && *code == code.to_ascii_lowercase(), "{code}");
        }
    }
}
