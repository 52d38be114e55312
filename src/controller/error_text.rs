//! What went wrong at the API server, for a person.

use std::error::Error;

use kube::{client::AuthError, config::KubeconfigError};

/// As much of the API server's message as is shown: an admission webhook may write pages.
const LONGEST_MESSAGE: usize = 256;

/// What the API server answered, or why there is no answer: to be read after a colon or in brackets. The library's own message is not for
/// people: they hold the whole answer as the program sees it.
pub(crate) fn error_text(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => {
            let message: String = status.message.chars().take(LONGEST_MESSAGE).collect();
            format!("it answers {}{}{message}", status.code, if message.is_empty() { "" } else { ", " })
        }
        error => format!("there is no usable answer, {}", innermost(error)),
    }
}

/// The library's message, for a log: it may hold what the program for the credentials prints, or a kubeconfig. Then a fixed text.
pub(crate) fn without_secrets(error: &(dyn Error + 'static)) -> String {
    chain(error).find_map(fixed_text).unwrap_or_else(|| error.to_string())
}

/// Whatever is around it repeats it, or says less.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let last = || chain(error).last().map(ToString::to_string).unwrap_or_default();
    chain(error).find_map(fixed_text).unwrap_or_else(last)
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// Of an error whose own text may hold a secret.
fn fixed_text(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<AuthError>() {
        return Some(credentials_text(error));
    }
    // The parser shows the lines around the mistake.
    let is_unparsed = matches!(error.downcast_ref(), Some(KubeconfigError::Parse(_)));
    is_unparsed.then(|| "the kubeconfig is no valid YAML of its kind".to_owned())
}

/// Only the kind of the error: the library's message has the command with its environment, and all that it printed, such as a token.
fn credentials_text(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => format!("the program for the credentials ended with {}", out.status),
        AuthError::AuthExecStart(error) => format!("the program for the credentials cannot be started, {}", error.kind()),
        AuthError::AuthExecParse(_) => "the program for the credentials printed no ExecCredential".to_owned(),
        AuthError::ExecPluginFailed => "the program for the credentials printed an ExecCredential without a status".to_owned(),
        AuthError::MissingCommand => "the program for the credentials has no command".to_owned(),
        AuthError::ExecMissingClusterInfo => "the program for the credentials wants a cluster that the kubeconfig does not have".to_owned(),
        AuthError::InvalidBasicAuth(_) => "the user name and password cannot be sent".to_owned(),
        AuthError::InvalidBearerToken(_) => "the token cannot be sent: it has characters that no header has".to_owned(),
        AuthError::MalformedTokenExpirationDate(_) => "the end of the token's life is no time".to_owned(),
        AuthError::ReadTokenFile(error, _) => format!("the file of the token cannot be read, {}", error.kind()),
        AuthError::ParseTokenKey(_) => "the key of the token cannot be read".to_owned(),
        AuthError::UnrefreshableTokenResponse => "the token cannot be renewed".to_owned(),
        AuthError::NoValidNativeRootCA(_) => "this machine has no root certificates".to_owned(),
        _ => "they cannot be had from their provider".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(message: &str) -> kube::Error {
        kube::Error::Api(kube::core::Status::failure(message, "InternalError").with_code(500).boxed())
    }

    #[test]
    fn an_answer_is_told_by_its_code_and_its_message() {
        assert_eq!(error_text(&answer("etcdserver: leader changed")), "it answers 500, etcdserver: leader changed");
        assert_eq!(error_text(&answer("")), "it answers 500");
        assert_eq!(error_text(&answer(&"é".repeat(10_000))).chars().count(), "it answers 500, ".len() + LONGEST_MESSAGE);
    }

    #[test]
    fn what_a_program_for_credentials_prints_is_no_part_of_it() {
        let printed = serde_json::from_str::<u8>("\"hidden\"").unwrap_err();
        for error in [AuthError::AuthExec("hidden".to_owned()), AuthError::ParseTokenKey(printed)] {
            // A token is renewed within a call, and the call's error holds it.
            let error = kube::Error::Service(Box::new(kube::Error::Auth(error)));
            let said = [error_text(&error), without_secrets(&error)];
            assert!(said.iter().all(|said| !said.contains("hidden") && !said.is_empty()), "{said:?}");
        }
        let text = std::fs::read_to_string("/nowhere").unwrap_err();
        assert!(without_secrets(&kube::Error::Auth(AuthError::AuthExecStart(text))).ends_with("cannot be started, entity not found"));
        assert!(without_secrets(&answer("some")).contains("some"), "what holds no secret is as it was");
    }

    #[test]
    fn no_answer_is_told_by_what_is_at_the_bottom_of_it() {
        let refused = std::io::Error::other(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(error_text(&kube::Error::Service(Box::new(refused))), "there is no usable answer, connection refused");
    }
}
