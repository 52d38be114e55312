use super::*;

const CLI: &str = r#"{ "current": "c", "profiles": [
    { "name": "c", "mode": "AK", "access_key_id": "of-the-cli", "access_key_secret": "s" },
    { "name": "program", "mode": "External", "process_command": "canary" } ] }"#;

const PROFILES: &str = "[default]\ntype = access_key\naccess_key_id = of-the-file\naccess_key_secret = s\n\
                        [other]\ntype = access_key\naccess_key_id = other\naccess_key_secret = s\n";

/// A home directory with these files.
struct Home(tempfile::TempDir);

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            home.write(path, text);
        }
        home
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The id of the key that is found with these variables, or the reason and what is said.
    fn find(&self, variables: &[(&str, &str)]) -> Result<String, (Reason, String)> {
        let home = self.0.path().display().to_string();
        let variable = |name: &str| {
            let given = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.replace('~', &home));
            given.or_else(|| (name == "HOME").then(|| home.clone())).filter(|value| !value.is_empty())
        };
        let is_off = variable("ALIBABA_CLOUD_CLI_PROFILE_DISABLED").is_some_and(|value| value == "true");
        match Files::new(variable, is_off).find() {
            Ok(Found { profile: Profile::Key(key), .. }) => Ok(key.0.access_key_id),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err((error.reason(), error.to_string())),
        }
    }
}

const CLI_PATH: &str = ".aliyun/config.json";
const FILE_PATH: &str = ".alibabacloud/credentials";

fn good(id: &str) -> Result<String, (Reason, String)> {
    Ok(id.to_owned())
}

#[test]
fn the_first_profile_that_is_there_is_found_in_the_order_of_the_official_clients() {
    let both = Home::new(&[(CLI_PATH, CLI), (FILE_PATH, PROFILES)]);
    assert_eq!(both.find(&[]), good("of-the-cli"));
    assert_eq!(both.find(&[("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")]), good("of-the-file"));
    assert_eq!(both.find(&[("ALIBABA_CLOUD_PROFILE", "c")]), good("of-the-cli"));
    // One that the first file does not have.
    assert_eq!(both.find(&[("ALIBABA_CLOUD_PROFILE", "other")]), good("other"));
    both.write("elsewhere/cli", &CLI.replace("of-the-cli", "named"));
    assert_eq!(both.find(&[("ALIBABA_CLOUD_CONFIG_FILE", "~/elsewhere/cli")]), good("named"));
    both.write("elsewhere/file", &PROFILES.replace("of-the-file", "named"));
    let elsewhere = [("ALIBABA_CLOUD_CREDENTIALS_FILE", "~/elsewhere/file"), ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")];
    assert_eq!(both.find(&elsewhere), good("named"));
    let ini = Home::new(&[(".alibabacloud/credentials.ini", PROFILES)]);
    assert_eq!(ini.find(&[]), good("of-the-file"));
    ini.write(FILE_PATH, &PROFILES.replace("of-the-file", "without-ini"));
    assert_eq!(ini.find(&[]), good("without-ini"));
}

#[test]
fn one_that_is_there_and_fails_is_not_replaced_by_another() {
    let home = |cli: &str| Home::new(&[(CLI_PATH, cli), (FILE_PATH, PROFILES)]);
    let invalid = Reason::InvalidCredentials;
    for (home, variables, reason, words) in [
        (home("{ canary"), &[][..], invalid, "it is not the JSON that the tool writes: line 1"),
        (home(&CLI.replace("\"current\": \"c\"", "\"current\": \"d\"")), &[], invalid, "it has no profile d"),
        (home(CLI), &[("ALIBABA_CLOUD_PROFILE", "program")], invalid, "mode External): this mode is not for an operator"),
        (home(CLI), &[("ALIBABA_CLOUD_CONFIG_FILE", "~/nowhere")], Reason::CredentialsNotFound, "nowhere cannot be read: entity not found"),
        (
            home(CLI),
            &[("ALIBABA_CLOUD_CREDENTIALS_FILE", "~/nowhere"), ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")],
            Reason::CredentialsNotFound,
            "nowhere cannot be read",
        ),
        (home(CLI), &[("ALIBABA_CLOUD_PROFILE", "nobody")], Reason::CredentialsNotFound, "a profile nobody is wanted, and "),
        (Home::new(&[(FILE_PATH, "[other]\ntype = access_key")]), &[], Reason::CredentialsNotFound, ".alibabacloud/credentials lacks it"),
        (Home::new(&[]), &[], Reason::CredentialsNotFound, "none of these files has one: "),
        (home(CLI), &[("HOME", "")], Reason::CredentialsNotFound, "HOME is not set"),
    ] {
        let Err((found, said)) = home.find(variables) else { panic!("{words}: a key was found") };
        assert!(found == reason && said.starts_with("Auto: ") && said.contains(words) && !said.contains("canary"), "{words}: {said}");
    }
}
