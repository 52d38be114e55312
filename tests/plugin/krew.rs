//! `deploy/krew/build`: the manifest is that of the archives beside it, and the program in them runs under the plugin's name.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::server::PROGRAM;

fn build(dir: &Path, args: &[&str]) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/krew/build");
    Command::new(script).args(args).arg("--output").arg(dir).output().expect("it runs")
}

#[test]
fn the_manifest_has_the_checksum_and_the_program_of_each_archive() {
    let dir = tempfile::tempdir().expect("a directory");
    // Another platform's file is packed as it is.
    let other = dir.path().join("other");
    std::fs::write(&other, "no program").expect("a file");
    let args = [
        "--version",
        "v1.2.3",
        "--homepage",
        "https://example.com",
        "--base-url",
        "https://example.com/v1.2.3/",
        &format!("linux/amd64={PROGRAM}"),
        &format!("darwin/arm64={}", other.display()),
    ];
    let output = build(dir.path(), &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(dir.path().join("alibaba-rds-backup.yaml")).expect("a manifest");
    let manifest: Value = serde_saphyr::from_str(&text).expect("YAML");
    let spec = &manifest["spec"];
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(
        (&manifest["kind"], &manifest["metadata"]["name"], &spec["version"]),
        (&"Plugin".into(), &"alibaba-rds-backup".into(), &"v1.2.3".into())
    );
    for field in ["homepage", "shortDescription", "description"] {
        assert!(spec[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {text}");
    }
    let platforms = spec["platforms"].as_array().expect("platforms");
    assert_eq!(platforms.len(), 2);
    for platform in platforms {
        let name = platform["uri"].as_str().and_then(|uri| uri.strip_prefix("https://example.com/v1.2.3/")).expect("an address");
        let labels = &platform["selector"]["matchLabels"];
        assert_eq!(
            name,
            format!("alibaba-rds-backup_v1.2.3_{}_{}.tar.gz", labels["os"].as_str().unwrap(), labels["arch"].as_str().unwrap())
        );
        let sum: String =
            Sha256::digest(std::fs::read(dir.path().join(name)).expect("the archive")).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(platform["sha256"], sum.as_str(), "{name}");
    }
    let archive = dir.path().join("alibaba-rds-backup_v1.2.3_linux_amd64.tar.gz");
    let unpacked = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(dir.path()).status().expect("tar");
    assert!(unpacked.success() && dir.path().join("LICENSE").exists());
    let program = dir.path().join(platforms[0]["bin"].as_str().expect("bin"));
    let help = String::from_utf8(Command::new(program).args(["now", "--help"]).output().expect("it runs").stdout).expect("UTF-8");
    assert!(help.contains("Usage: kubectl alibaba-rds-backup now") && help.contains("  kubectl alibaba-rds-backup now nightly"), "{help}");
}

#[test]
fn what_is_wrong_writes_no_manifest() {
    let good = ["--version", "v1.2.3", "--homepage", "https://example.com", "--base-url", "https://example.com"];
    let program = format!("linux/amd64={PROGRAM}");
    for (args, wanted) in [
        (vec!["--version", "1.2.3", "--homepage", "https://example.com", "--base-url", "https://example.com", &program], "with its v"),
        (
            vec!["--version", "v1.2.3", "--homepage", "https://example.com", "--base-url", "http://example.com", &program],
            "--base-url begins with https://",
        ),
        ([good.as_slice(), &["linux/riscv=x"]].concat(), "write OS/ARCH=BINARY"),
        ([good.as_slice(), &["linux/amd64=/nowhere"]].concat(), "there is no such file"),
        ([good.as_slice(), &[&program, &program]].concat(), "given twice"),
        (good.to_vec(), "no platform is given"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let output = build(dir.path(), &args);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(!output.status.success() && said.contains(wanted), "{args:?}: {said}");
        assert!(std::fs::read_dir(dir.path()).expect("it is there").next().is_none(), "{args:?}");
    }
}
