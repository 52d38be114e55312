//! Resolves names to files: which file imports which, with the line and the item of each import.

use std::collections::{BTreeMap, BTreeSet};

use crate::Files;
use crate::syntax::{self, Module, Use, is_relative};

/// One place where a file imports from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub line: usize,
    /// The path as it is written.
    pub item: String,
}

/// The imports of one crate: importing file, imported file, the places.
pub type Imports = BTreeMap<(String, String), BTreeSet<Import>>;

/// The imports of a crate's files.
#[derive(Debug, Default)]
pub struct Report {
    pub imports: Imports,
    /// Files and names that cannot be read or resolved, with file and line. If there are any, the imports are incomplete.
    pub errors: Vec<String>,
    /// The number of files that were read, without those of tests.
    pub files: usize,
}

/// The imports of the crate whose `src` the folder is.
pub fn imports(folder: &str, files: &Files) -> Report {
    let mut tree = Tree { files, nodes: Vec::new(), errors: Vec::new(), test: Vec::new() };
    for root in ["lib.rs", "main.rs"].map(|name| format!("{}/{name}", folder.trim_end_matches('/'))) {
        if files.contains_key(&root) {
            tree.add_file(root, None);
        }
    }
    if tree.nodes.is_empty() {
        tree.errors.push(format!("{folder}: there is neither a lib.rs nor a main.rs"));
    }
    tree.check_that_all_files_are_read();
    tree.imports()
}

/// A module of the crate, with its place in it.
struct Node {
    module: Module,
    file: String,
    parent: Option<usize>,
    children: Vec<(String, usize)>,
}

/// The target of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    /// An item that this module defines; true if it can have names below it.
    Item(usize, bool),
    /// An item of another crate.
    External,
}

struct Tree<'a> {
    files: &'a Files,
    nodes: Vec<Node>,
    errors: Vec<String>,
    /// Modules of tests, as paths without `.rs`.
    test: Vec<String>,
}

impl Tree<'_> {
    fn add_file(&mut self, file: String, parent: Option<usize>) -> Option<usize> {
        match syntax::read(self.files.get(&file)?) {
            Ok(module) => {
                let folder = match file.rsplit_once('/') {
                    Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder.to_owned(),
                    _ => file.trim_end_matches(".rs").to_owned(),
                };
                Some(self.add(module, file, &folder, parent))
            }
            Err(error) => {
                self.errors.push(format!("{file}:{}: {error}", error.span().start().line));
                None
            }
        }
    }

    /// Adds a module and all below it. `folder` is where files of its children are.
    fn add(&mut self, mut module: Module, file: String, folder: &str, parent: Option<usize>) -> usize {
        self.errors.extend(module.errors.iter().map(|(line, reason)| format!("{file}:{line}: {reason}")));
        let children = std::mem::take(&mut module.children);
        let this = self.nodes.len();
        self.nodes.push(Node { module, file: file.clone(), parent, children: Vec::new() });
        for child in children {
            let path = format!("{folder}/{}", child.name);
            if child.test {
                self.test.push(path);
                continue;
            }
            let added = match child.inline {
                Some(module) => Some(self.add(module, file.clone(), &path, Some(this))),
                None => {
                    let found = [format!("{path}.rs"), format!("{path}/mod.rs")].into_iter().find(|file| self.files.contains_key(file));
                    if found.is_none() {
                        self.errors.push(format!("{file}:{}: there is no file for mod {}", child.line, child.name));
                    }
                    found.and_then(|file| self.add_file(file, Some(this)))
                }
            };
            self.nodes[this].children.extend(added.map(|node| (child.name, node)));
        }
        this
    }

    /// A file that no `mod` leads to is an error: it would be left out silently.
    fn check_that_all_files_are_read(&mut self) {
        let read: BTreeSet<&String> = self.nodes.iter().map(|node| &node.file).collect();
        let is_test = |file: &str| self.test.iter().any(|test| file == format!("{test}.rs") || file.starts_with(&format!("{test}/")));
        let unread: Vec<&String> = self.files.keys().filter(|file| !read.contains(file) && !is_test(file)).collect();
        self.errors.extend(unread.iter().map(|file| format!("{file}: was not read")));
    }

    fn imports(mut self) -> Report {
        let mut found = Found::default();
        for node in 0..self.nodes.len() {
            self.imports_of(node, &mut found);
        }
        self.errors.append(&mut found.errors);
        let files: BTreeSet<&String> = self.nodes.iter().map(|node| &node.file).collect();
        Report { imports: found.imports, files: files.len(), errors: self.errors }
    }

    fn imports_of(&self, node: usize, found: &mut Found) {
        let Node { module, file, .. } = &self.nodes[node];
        for used in &module.uses {
            let path = used.path.join("::");
            let place = Import { line: used.line, item: if used.glob { format!("use {path}::*") } else { format!("use {path}") } };
            let targets = self.path(node, &used.path);
            if targets.is_empty() && self.must_resolve(node, &used.path) {
                found.errors.push(format!("{file}:{}: {path} is not found", used.line));
            }
            for target in targets {
                match target {
                    Target::Item(defined, _) if !used.reexport || self.uses_itself(node, used) => {
                        found.add(file, &self.nodes[defined].file, &place)
                    }
                    Target::Module(of) if used.glob => self.imports_by_glob(node, of, &place, found),
                    // A module that a `use` brings in: the paths through it show which of its items are used.
                    Target::Item(..) | Target::Module(_) | Target::External => {}
                }
            }
        }
        for mention in &module.mentions {
            let path = mention.path.join("::");
            let targets = self.path(node, &mention.path);
            if targets.is_empty() && self.must_resolve(node, &mention.path) {
                found.errors.push(format!("{file}:{}: {path} is not found", mention.line));
            }
            for target in targets {
                if let Target::Item(to, _) | Target::Module(to) = target {
                    found.add(file, &self.nodes[to].file, &Import { line: mention.line, item: path.clone() });
                }
            }
        }
        for (name, line) in &module.calls {
            // A macro of a module above can be used without an import.
            let above = std::iter::successors(Some(node), |node| self.nodes[*node].parent)
                .find(|node| self.nodes[*node].module.macros.contains(name));
            if let (Some(above), true) = (above, self.name(node, name, true, &mut BTreeSet::new()).is_empty()) {
                found.add(file, &self.nodes[above].file, &Import { line: *line, item: format!("{name}!") });
            }
        }
    }

    /// Whether the module that re-exports a name has code that uses it.
    fn uses_itself(&self, node: usize, used: &Use) -> bool {
        used.name.as_ref().is_some_and(|name| self.nodes[node].module.words.contains(name))
    }

    /// A glob imports the names that the module uses and for which it has no other source.
    fn imports_by_glob(&self, node: usize, of: usize, place: &Import, found: &mut Found) {
        let Node { module, file, .. } = &self.nodes[node];
        for word in &module.words {
            let mut seen = BTreeSet::new();
            if !self.own_name(node, word, true, &mut seen).is_empty() {
                continue;
            }
            for target in self.name(of, word, false, &mut BTreeSet::new()) {
                if let Target::Item(defined, _) = target {
                    found.add(file, &self.nodes[defined].file, &Import { line: place.line, item: format!("{} ({word})", place.item) });
                }
            }
        }
    }

    /// Whether a path that is not found must be one of this crate: else its first name is another crate, a type parameter or a type of the
    /// prelude.
    fn must_resolve(&self, node: usize, path: &[String]) -> bool {
        path.first().is_some_and(|first| is_relative(first) || !self.name(node, first, true, &mut BTreeSet::new()).is_empty())
    }

    /// The targets of a path in a module. Empty: no item of this crate.
    fn path(&self, node: usize, path: &[String]) -> BTreeSet<Target> {
        self.path_from(node, path, &mut BTreeSet::new())
    }

    fn path_from(&self, node: usize, path: &[String], seen: &mut BTreeSet<(usize, String)>) -> BTreeSet<Target> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::new() };
        let mut targets = match first.as_str() {
            "crate" => BTreeSet::from([Target::Module(self.root(node))]),
            "self" => BTreeSet::from([Target::Module(node)]),
            "super" => self.nodes[node].parent.map(Target::Module).into_iter().collect(),
            name => self.name(node, name, true, seen),
        };
        for name in rest {
            targets = targets.into_iter().flat_map(|target| self.below(target, name, seen)).collect();
        }
        targets
    }

    /// The targets of a name within a module or an item.
    fn below(&self, target: Target, name: &str, seen: &mut BTreeSet<(usize, String)>) -> BTreeSet<Target> {
        match target {
            Target::Module(node) if name == "super" => self.nodes[node].parent.map(Target::Module).into_iter().collect(),
            Target::Module(node) if name == "self" => BTreeSet::from([Target::Module(node)]),
            Target::Module(node) => self.name(node, name, false, seen),
            // A variant or an associated item: it is where its type is.
            Target::Item(_, true) | Target::External => BTreeSet::from([target]),
            Target::Item(_, false) => BTreeSet::new(),
        }
    }

    fn root(&self, node: usize) -> usize {
        std::iter::successors(Some(node), |node| self.nodes[*node].parent).last().unwrap_or(node)
    }

    /// The targets of a name in a module: its own names first, then names from globs, then names that a macro may define.
    fn name(&self, node: usize, name: &str, inside: bool, seen: &mut BTreeSet<(usize, String)>) -> BTreeSet<Target> {
        let module = &self.nodes[node].module;
        let mut targets = self.own_name(node, name, inside, seen);
        if targets.is_empty() && seen.insert((node, format!("{name} by a glob"))) {
            for used in module.uses.iter().filter(|used| used.glob && (inside || !used.local)) {
                for target in self.path_from(node, &used.path, seen) {
                    targets.extend(match target {
                        Target::Module(of) => self.name(of, name, false, seen),
                        // The variants of an enum, or another crate's names: they are not known here.
                        Target::Item(..) | Target::External => BTreeSet::new(),
                    });
                }
            }
        }
        if targets.is_empty() && module.words_of_macros.contains(name) && !inside {
            targets.insert(Target::Item(node, true));
        }
        targets
    }

    /// The items that a module itself declares, defines or imports under a name.
    fn own_name(&self, node: usize, name: &str, inside: bool, seen: &mut BTreeSet<(usize, String)>) -> BTreeSet<Target> {
        let Node { module, children, .. } = &self.nodes[node];
        let mut targets: BTreeSet<Target> =
            children.iter().filter(|(child, _)| child == name).map(|(_, node)| Target::Module(*node)).collect();
        targets.extend(module.items.get(name).map(|has_names| Target::Item(node, *has_names)));
        if seen.insert((node, name.to_owned())) {
            for used in module.uses.iter().filter(|used| used.name.as_deref() == Some(name) && (inside || !used.local)) {
                let found = self.path_from(node, &used.path, seen);
                // It is not found here: it is an item of another crate, or an error that is reported for the `use` itself.
                targets.extend(if found.is_empty() { BTreeSet::from([Target::External]) } else { found });
            }
            seen.remove(&(node, name.to_owned()));
        }
        targets
    }
}

/// The imports and errors so far.
#[derive(Default)]
struct Found {
    imports: Imports,
    errors: Vec<String>,
}

impl Found {
    fn add(&mut self, from: &str, to: &str, place: &Import) {
        if from != to {
            self.imports.entry((from.to_owned(), to.to_owned())).or_default().insert(place.clone());
        }
    }
}
