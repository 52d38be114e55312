//! What went wrong at the API server, for a person.

use std::error::Error;

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

/// Whatever is around it repeats it, or says less.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
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
    fn no_answer_is_told_by_what_is_at_the_bottom_of_it() {
        let refused = std::io::Error::other(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(error_text(&kube::Error::Service(Box::new(refused))), "there is no usable answer, connection refused");
    }
}
