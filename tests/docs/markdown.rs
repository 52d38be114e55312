//! The links, the anchors and the code of a Markdown file.

use std::collections::{HashMap, HashSet};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A piece of code.
pub struct Snippet {
    /// The language that the fence names.
    pub language: String,
    pub text: String,
    pub line: usize,
}

/// The checked parts of a Markdown file.
#[derive(Default)]
pub struct Page {
    /// Their targets, with their lines.
    pub links: Vec<(String, usize)>,
    /// Code within a line, with its line.
    pub codes: Vec<(String, usize)>,
    pub anchors: HashSet<String>,
    pub snippets: Vec<Snippet>,
}

impl Page {
    pub fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let (mut heading, mut code): (Option<String>, Option<Snippet>) = (None, None);
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        let options = Options::ENABLE_TABLES | Options::ENABLE_GFM | Options::ENABLE_STRIKETHROUGH;
        // A reference without a definition is text to the parser: here it is a broken link.
        let broken = std::cell::RefCell::new(Vec::new());
        let mut undefined = |link: pulldown_cmark::BrokenLink<'_>| {
            if link.link_type != pulldown_cmark::LinkType::Shortcut {
                broken.borrow_mut().push((format!("[{}]", link.reference), line(link.span.start)));
            }
            None
        };
        let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut undefined)).into_offset_iter();
        for (event, span) in parser {
            let is_code = matches!(event, Event::Code(_));
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push((dest_url.into_string(), line(span.start)));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let slug = slug(&heading.take().unwrap_or_default());
                    let count = seen.entry(slug.clone()).or_default();
                    page.anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
                    *count += 1;
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(language) => language.into_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    code = Some(Snippet { language, text: String::new(), line: line(span.start) });
                }
                Event::End(TagEnd::CodeBlock) => page.snippets.extend(code.take()),
                Event::Text(words) | Event::Code(words) => {
                    if is_code {
                        page.codes.push((words.to_string(), line(span.start)));
                    }
                    if let Some(snippet) = &mut code {
                        snippet.text.push_str(&words);
                    } else if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::Html(html) | Event::InlineHtml(html) => page.anchors.extend(ids(&html)),
                _ => {}
            }
        }
        page.links.extend(broken.into_inner());
        page
    }
}

/// The anchor that GitHub gives to a heading.
fn slug(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The values of `id="..."`.
fn ids(html: &str) -> Vec<String> {
    html.split("id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

#[test]
fn anchors_are_those_that_github_makes() {
    let page = Page::read("# A `code` & more: 3 things\n\n## Twice\n\n## Twice\n\n<a id=\"by-hand\"></a>\n");
    let expected = ["a-code--more-3-things", "twice", "twice-1", "by-hand"];
    assert_eq!(page.anchors, expected.map(str::to_owned).into());
}

#[test]
fn links_are_found_wherever_they_stand_and_not_in_code() {
    let page = Page::read("[a](a.md) and ![b](b.png)\n\n| [c](c.md#x) |\n|---|\n| `[d](d.md)` [e][none] |\n\n```\n[f](f.md)\n```\n");
    let links: Vec<&str> = page.links.iter().map(|(target, _)| target.as_str()).collect();
    assert_eq!(links, ["a.md", "b.png", "c.md#x", "[none]"]);
}
