//! Every relative link and every anchor.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
};

use crate::{ROOT, files, markdown::Page, read};

#[test]
fn every_relative_link_leads_somewhere() {
    let pages: HashMap<PathBuf, Page> = files(".md").into_iter().map(|file| (file.clone(), Page::read(&read(&file)))).collect();
    let (mut checked, mut broken) = (0, Vec::new());
    for (file, page) in &pages {
        for (target, line) in &page.links {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            if let Some(why) = wrong(file, target, &pages) {
                broken.push(format!("{}:{line}: {target}: {why}", file.display()));
            }
        }
    }
    let mut named = 0;
    // The changelog may name files that no longer exist.
    for (file, page) in pages.iter().filter(|(file, _)| !file.ends_with("CHANGELOG.md")) {
        for (path, line) in page.codes.iter().filter(|(code, _)| is_path(code)) {
            named += 1;
            if !Path::new(ROOT).join(path).exists() {
                broken.push(format!("{}:{line}: `{path}` does not exist", file.display()));
            }
        }
    }
    broken.sort();
    println!("{checked} links and {named} named paths in {} files", pages.len());
    assert!(checked > 0 && named > 0, "no link was found");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Whether a piece of code names a file of this repository, from its root.
fn is_path(code: &str) -> bool {
    let known = ["charts/", "crds/", "deploy/", "docs/", "examples/", "sandbox/", "src/", "tests/", ".ci/"];
    known.iter().any(|folder| code.starts_with(folder)) && !code.contains([' ', '*', '<', '{', '$'])
}

fn wrong(file: &Path, target: &str, pages: &HashMap<PathBuf, Page>) -> Option<String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let there = match path {
        "" => file.to_owned(),
        _ if path.starts_with('/') => return Some("a link from the root works on no page".to_owned()),
        _ => match normal(&file.parent().unwrap_or(Path::new("")).join(path)) {
            Some(there) => there,
            None => return Some("it leads out of the repository".to_owned()),
        },
    };
    if !Path::new(ROOT).join(&there).exists() {
        return Some(format!("{} does not exist", there.display()));
    }
    let anchor = anchor?;
    match pages.get(&there) {
        None => Some("an anchor of a file that is no Markdown".to_owned()),
        Some(page) if page.anchors.contains(anchor) => None,
        Some(_) => Some(format!("{} has no heading or anchor {anchor}", there.display())),
    }
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            Component::Normal(name) => out.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(out)
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    // The files exist; their content is made up.
    let here = "docs/explain/replicas.md";
    let pages = HashMap::from([(PathBuf::from(here), Page::read("# One\n")), (PathBuf::from("README.md"), Page::default())]);
    let wrong = |file: &str, target: &str| wrong(Path::new(file), target, &pages);
    for good in ["../../README.md", "#one", "./", "../explain/replicas.md#one"] {
        assert_eq!(wrong(here, good), None, "{good}");
    }
    for bad in ["b.md", "#two", "../../README.md#one", "../../../x.md", "/README.md", "../../Cargo.toml#workspace", "[none]"] {
        assert!(wrong(here, bad).is_some(), "{bad}");
    }
}
