//! What a refusal means, and the command that grants a right that is missing.

use super::{
    error::{AskError, one_line},
    kind::{EVENTS, Kind, NAMESPACES},
};
use crate::{
    api::GROUP,
    controller::{error_text, without_secrets},
};

/// A request, as its error names it.
pub(super) struct Asked<'a> {
    /// The address of the API server.
    pub server: &'a str,
    pub kind: Kind,
    /// The verb of RBAC.
    pub verb: &'static str,
    /// The object; empty for a list.
    pub name: &'a str,
    /// None for all namespaces, and for a kind that is in none.
    pub namespace: Option<&'a str>,
}

impl Asked<'_> {
    /// Why there is no answer.
    pub fn refused(&self, error: &kube::Error) -> AskError {
        let Self { kind, verb, name, namespace, .. } = *self;
        let status = match error {
            kube::Error::Api(status) => status,
            kube::Error::Auth(_) => return AskError::Credentials(one_line(&without_secrets(error))),
            error => return self.other(error),
        };
        // An API server without the kind answers 404 as well, and names no object.
        let names_object = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
        let is_ours = kind.resource.ends_with(GROUP);
        match status.code {
            401 => AskError::Unauthenticated,
            403 if is_of_rbac(&status.message) => {
                let user = user_in(&status.message);
                let cure = self.cure(user.as_deref());
                let user = user.map_or_else(|| "the user".to_owned(), |user| format!("{user:?}"));
                AskError::Forbidden { user, verb, resource: kind.resource, place: self.place(), cure }
            }
            404 if is_ours && (name.is_empty() || !names_object) => AskError::NoKind(kind.resource),
            404 if !name.is_empty() => {
                let within = namespace.map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
                let list = format!("kubectl get {}{within}", kind.resource);
                AskError::NotFound { kind: kind.kind, name: name.to_owned(), place: self.place(), list }
            }
            409 => AskError::Replaced(format!("the {} {name:?}", kind.kind)),
            // An admission policy of the cluster answers 403 or 422, an invalid object 422.
            400 | 403 | 422 if verb == "patch" => {
                AskError::Refused { what: format!("the {} {name:?}", kind.kind), problem: one_line(&status.message) }
            }
            _ => self.other(error),
        }
    }

    fn other(&self, error: &kube::Error) -> AskError {
        AskError::Other { server: self.server.to_owned(), resource: self.kind.resource, problem: one_line(&error_text(error)) }
    }

    fn place(&self) -> String {
        match self.namespace {
            Some(namespace) => format!("namespace {namespace}"),
            None if self.kind == NAMESPACES => "the cluster".to_owned(),
            None => "all namespaces".to_owned(),
        }
    }

    /// The command that grants it. The ClusterRoles of our kinds are the chart's.
    fn cure(&self, user: Option<&str>) -> String {
        let (name, subject) = (self.name, subject_of(user));
        if self.kind == NAMESPACES {
            let role =
                format!("kubectl create clusterrole rds-backup-pause-{name} --verb=get,patch --resource=namespaces --resource-name={name}");
            let bind = format!("kubectl create clusterrolebinding rds-backup-pause-{name} --clusterrole=rds-backup-pause-{name} {subject}");
            return format!("`{role}` and `{bind}` grant it");
        }
        let role = match (self.kind, self.verb) {
            (EVENTS, _) => "view",
            (_, "patch") => "rds-backup-operator-edit",
            _ => "rds-backup-operator-view",
        };
        match self.namespace {
            Some(namespace) => {
                format!("`kubectl create rolebinding {role}-by-hand -n {namespace} --clusterrole={role} {subject}` grants it")
            }
            None => format!("`kubectl create clusterrolebinding {role}-by-hand --clusterrole={role} {subject}` grants it"),
        }
    }
}

/// RBAC's refusal, and not that of an admission policy: `... is forbidden: User "x" cannot list ...`.
fn is_of_rbac(message: &str) -> bool {
    message.split_once(" is forbidden: User \"").is_some_and(|(_, rest)| rest.contains("\" cannot "))
}

/// The user that RBAC refuses, if a shell takes the name as it is.
fn user_in(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("User \"")?;
    let (user, _) = rest.split_once('"')?;
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:@/".contains(c);
    (!user.is_empty() && user.len() <= 256 && user.chars().all(is_plain)).then(|| user.to_owned())
}

/// The option of `kubectl create rolebinding` that names the user.
fn subject_of(user: Option<&str>) -> String {
    let account = user.and_then(|user| user.strip_prefix("system:serviceaccount:"));
    match (account, user) {
        (Some(account), _) => format!("--serviceaccount={account}"),
        (None, Some(user)) => format!("--user={user}"),
        (None, None) => "--user=USER".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_read_from_the_refusal_and_nothing_that_a_shell_would_run() {
        let refusal = |user: &str| format!("rdsbackups.rdsbackup.io is forbidden: User \"{user}\" cannot list resource \"rdsbackups\"");
        let of = |user: &str| {
            assert!(is_of_rbac(&refusal(user)), "{user}");
            subject_of(user_in(&refusal(user)).as_deref())
        };
        assert_eq!(of("system:serviceaccount:team-a:report"), "--serviceaccount=team-a:report");
        assert_eq!(of("jane@example.com"), "--user=jane@example.com");
        assert_eq!(of("$(reboot)"), "--user=USER");
        assert_eq!(subject_of(user_in("no").as_deref()), "--user=USER");
    }

    #[test]
    fn a_policy_that_speaks_of_a_user_is_not_taken_for_a_missing_right() {
        for message in [
            "rdsbackups.rdsbackup.io \"b\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: User \"ann\" cannot do that today",
            "admission webhook \"w\" denied the request: User \"ann\" cannot patch",
        ] {
            assert!(!is_of_rbac(message), "{message}");
        }
    }
}
