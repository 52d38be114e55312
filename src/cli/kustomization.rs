//! Manifests as the files of a kustomization, one for each object, so that a change of one is a change of one file.

use std::{collections::BTreeSet, fs, io::ErrorKind, path::Path};

use serde_json::{Value, json};

/// The first line of every file that is written here. Only such a file is replaced.
const MARK: &str = "# Written by `rds-backup-operator generate`: it is replaced at the next run.\n";

/// What was written.
pub(super) struct Written {
    /// For stdout.
    pub summary: String,
    /// Files of an earlier run that the kustomization does not list any more. They are left where they are.
    pub left: Vec<String>,
}

/// Writes the objects and `kustomization.yaml` into the directory. Nothing is written if one of the files is somebody else's.
pub(super) fn write(directory: &Path, objects: &[Value]) -> Result<Written, String> {
    let named = |object: &Value| Some((format!("{}.yaml", object.pointer("/metadata/name")?.as_str()?), object.clone()));
    let mut files: Vec<(String, Value)> = objects.iter().filter_map(named).collect();
    let resources: Vec<&String> = files.iter().map(|(file, _)| file).collect();
    let list = json!({ "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources });
    files.push(("kustomization.yaml".to_owned(), list));
    let at = |file: &str| directory.join(file);
    let wrong = |file: &str, why: &dyn std::fmt::Display| format!("--directory: {}: {why}", at(file).display());
    fs::create_dir_all(directory).map_err(|error| wrong("", &error))?;
    for (file, _) in &files {
        match fs::read_to_string(at(file)) {
            Ok(text) if !text.starts_with(MARK) => return Err(wrong(file, &"it was written by somebody else; choose another directory")),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(wrong(file, &error)),
        }
    }
    let mut replaced = 0;
    for (file, object) in &files {
        let text = format!("{MARK}{}", serde_saphyr::to_string(object).map_err(|error| wrong(file, &error))?);
        // An unchanged file keeps its time.
        if fs::read_to_string(at(file)).is_ok_and(|before| before == text) {
            continue;
        }
        replaced += 1;
        fs::write(at(file), text).map_err(|error| wrong(file, &error))?;
    }
    let listed: BTreeSet<&String> = files.iter().map(|(file, _)| file).collect();
    let entries = fs::read_dir(directory).map_err(|error| wrong("", &error))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let is_ours = |name: &String| fs::read_to_string(at(name)).is_ok_and(|text| text.starts_with(MARK));
    let mut left: Vec<String> = names.filter(|name| name.ends_with(".yaml") && !listed.contains(name)).filter(is_ours).collect();
    left.sort();
    let summary = format!("{} schedules in {}, {replaced} of {} files changed\n", files.len() - 1, directory.display(), files.len());
    Ok(Written { summary, left })
}
