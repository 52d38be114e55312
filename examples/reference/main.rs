//! Prints one page of docs/reference/, or a generated file of the chart: `cargo run --example reference -- PAGE > docs/reference/PAGE`.
//! `list` names them all.

mod pages;

use std::process::ExitCode;

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    if wanted == "list" {
        pages::ALL.iter().for_each(|page| println!("{}", page.path()));
        return ExitCode::SUCCESS;
    }
    match pages::ALL.iter().find(|page| page.file == wanted || page.path() == wanted) {
        Some(page) => {
            print!("{}", page.text());
            ExitCode::SUCCESS
        }
        None => {
            let commands: Vec<String> = pages::ALL.iter().map(pages::Page::command).collect();
            eprintln!("there is no page {wanted:?}; these are all:\n{}", commands.join("\n"));
            ExitCode::from(2)
        }
    }
}
