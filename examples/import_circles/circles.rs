//! The circles in a graph of files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::resolve::{Import, Imports};

/// Every import that lies on a circle, in a shortest circle: files in order, the first of them the one with the smallest path.
///
/// A group of files that all import each other has more circles than can be printed. The circles in this list contain every import that
/// must be removed, and the list is empty exactly if there is no circle. The search is breadth first from each import: for a few hundred
/// imports a graph library is not needed.
pub fn circles(imports: &Imports) -> BTreeSet<Vec<String>> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in imports.keys() {
        next.entry(from).or_default().push(to);
    }
    imports.keys().filter_map(|(from, to)| shortest(&next, to, from)).map(from_smallest).collect()
}

/// The files of a shortest path from one file to another, both included.
fn shortest<'a>(next: &BTreeMap<&'a str, Vec<&'a str>>, from: &'a str, to: &str) -> Option<Vec<String>> {
    let mut reached_from: BTreeMap<&str, Option<&str>> = BTreeMap::from([(from, None)]);
    let mut open = VecDeque::from([from]);
    while let Some(file) = open.pop_front() {
        if file == to {
            let mut way = vec![file.to_owned()];
            let mut at = file;
            while let Some(Some(before)) = reached_from.get(at) {
                way.push((*before).to_owned());
                at = before;
            }
            way.reverse();
            return Some(way);
        }
        for reached in next.get(file).into_iter().flatten() {
            if !reached_from.contains_key(reached) {
                reached_from.insert(reached, Some(file));
                open.push_back(reached);
            }
        }
    }
    None
}

/// The same circle, beginning at its smallest path: a circle that is found from each of its imports is listed once.
fn from_smallest(mut circle: Vec<String>) -> Vec<String> {
    let smallest = circle.iter().enumerate().min_by_key(|(_, file)| *file).map_or(0, |(at, _)| at);
    circle.rotate_left(smallest);
    circle
}

/// One circle as it is printed: `a.rs -> b.rs -> a.rs`, then for each arrow the lines and items that make it.
pub fn text(circle: &[String], imports: &Imports) -> String {
    let closed: Vec<&String> = circle.iter().chain(circle.first()).collect();
    let mut text = closed.iter().map(|file| file.as_str()).collect::<Vec<_>>().join(" -> ") + "\n";
    for pair in closed.windows(2) {
        let (from, to) = (pair[0].clone(), pair[1].clone());
        for Import { line, item } in imports.get(&(from.clone(), to)).into_iter().flatten() {
            text.push_str(&format!("    {from}:{line}: {item}\n"));
        }
    }
    text
}
