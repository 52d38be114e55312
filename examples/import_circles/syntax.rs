//! The content of one file: its modules, its items, its imports, and the paths that it mentions. Nothing is resolved here.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, UseTree, Visibility};

/// Keys of attributes whose string is a path to code: of serde, schemars and kube.
const KEYS_OF_PATHS: [&str; 12] = [
    "with",
    "serialize_with",
    "deserialize_with",
    "skip_serializing_if",
    "default",
    "from",
    "try_from",
    "into",
    "remote",
    "getter",
    "schema_with",
    "status",
];

/// One module: a file's, or one written out between braces.
#[derive(Debug, Default)]
pub struct Module {
    /// The items that the module defines, macros included; true for those that can have names below them: types and traits.
    pub items: BTreeMap<String, bool>,
    /// `mod x;` and `mod x { .. }`.
    pub children: Vec<Child>,
    pub uses: Vec<Use>,
    /// Paths of two names or more outside of `use`, and those that an attribute names in a string.
    pub mentions: Vec<Mention>,
    /// The first name of every path, and every name in the arguments of a macro: how names that came by a re-export or a glob are found in
    /// use.
    pub words: BTreeSet<String>,
    /// Every name in an item that is written by a macro: the macro may define it.
    pub words_of_macros: BTreeSet<String>,
    /// `macro_rules!` of this module: modules below it can use them without an import.
    pub macros: BTreeSet<String>,
    /// Macros called by a single name.
    pub calls: Vec<(String, usize)>,
    /// The parts that cannot be read: a line and a reason each.
    pub errors: Vec<(usize, String)>,
}

/// A module within a module.
#[derive(Debug)]
pub struct Child {
    pub name: String,
    pub line: usize,
    /// Under `#[cfg(test)]`: its files are left out.
    pub test: bool,
    /// Its content, if that is written between braces and not in a file of its own.
    pub inline: Option<Module>,
}

/// One name that a `use` brings in.
#[derive(Debug)]
pub struct Use {
    pub path: Vec<String>,
    /// The name in this module; None for `as _` and for a glob.
    pub name: Option<String>,
    pub glob: bool,
    /// `pub use` or `pub(..) use`.
    pub reexport: bool,
    /// Inside of a function: other modules do not see it.
    pub local: bool,
    pub line: usize,
}

/// A path in the code.
#[derive(Debug)]
pub struct Mention {
    pub path: Vec<String>,
    pub line: usize,
}

/// Reads one file.
pub fn read(text: &str) -> syn::Result<Module> {
    let file = syn::parse_file(text)?;
    Ok(module(&file.items))
}

fn module(items: &[Item]) -> Module {
    let mut reader = Reader::default();
    items.iter().for_each(|item| reader.visit_item(item));
    reader.module
}

#[derive(Default)]
struct Reader {
    module: Module,
    /// The number of blocks of code around the reader: an item within a block is not an item of the module.
    blocks: usize,
}

impl Reader {
    fn define(&mut self, name: &syn::Ident, has_names: bool) {
        if self.blocks == 0 {
            *self.module.items.entry(name.to_string()).or_default() |= has_names;
        }
    }

    fn mention(&mut self, path: Vec<String>, line: usize) {
        self.module.words.extend(path.first().cloned());
        if path.len() > 1 {
            self.module.mentions.push(Mention { path, line });
        }
    }

    fn read_use(&mut self, item: &syn::ItemUse) {
        // `::name` is a crate: never a module of this one.
        if item.leading_colon.is_none() {
            self.read_tree(&item.tree, &mut Vec::new(), !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn read_tree(&mut self, tree: &UseTree, before: &mut Vec<String>, reexport: bool) {
        let (path, name, glob) = match tree {
            UseTree::Group(group) => return group.items.iter().for_each(|tree| self.read_tree(tree, before, reexport)),
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.read_tree(&path.tree, before, reexport);
                before.pop();
                return;
            }
            UseTree::Glob(_) => (before.clone(), None, true),
            UseTree::Name(name) if name.ident == "self" => (before.clone(), before.last().cloned(), false),
            UseTree::Name(name) => (joined(before, &name.ident), Some(name.ident.to_string()), false),
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { before.clone() } else { joined(before, &rename.ident) };
                (path, Some(rename.rename.to_string()).filter(|name| name != "_"), false)
            }
        };
        self.module.uses.push(Use { path, name, glob, reexport, local: self.blocks > 0, line: tree.span().start().line });
    }

    fn read_module(&mut self, item: &syn::ItemMod, test: bool) {
        let line = item.ident.span().start().line;
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            self.module.errors.push((line, "a module with #[path] is not understood".to_owned()));
        }
        let inline = item.content.as_ref().map(|(_, items)| module(items));
        self.module.children.push(Child { name: item.ident.to_string(), line, test, inline });
    }

    /// Every path among tokens that syn does not parse: the arguments of macros and attributes.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let colons = |at: usize| {
            matches!(tokens.get(at..at + 2), Some([TokenTree::Punct(a), TokenTree::Punct(b)])
                if a.as_char() == ':' && a.spacing() == Spacing::Joint && b.as_char() == ':')
        };
        let mut at = 0;
        while at < tokens.len() {
            if let TokenTree::Group(group) = &tokens[at] {
                self.scan(group.stream());
            }
            let TokenTree::Ident(first) = &tokens[at] else {
                at += 1;
                continue;
            };
            let begins = at;
            let mut path = vec![first.to_string()];
            at += 1;
            while colons(at)
                && let Some(TokenTree::Ident(next)) = tokens.get(at + 2)
            {
                path.push(next.to_string());
                at += 3;
            }
            // `$x::y` depends on the macro's argument, and what follows `>::` on a type.
            let dollar = begins > 0 && matches!(&tokens[begins - 1], TokenTree::Punct(before) if before.as_char() == '$');
            let follows = begins > 1 && colons(begins - 2);
            if (dollar && path[0] != "crate") || follows {
                continue;
            }
            let opens = match tokens.get(at + 2) {
                Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
                Some(TokenTree::Punct(sign)) => sign.as_char() == '*',
                _ => false,
            };
            if colons(at) && opens && is_relative(&path[0]) {
                let line = first.span().start().line;
                self.module.errors.push((line, format!("{}::{{..}} in a macro is not understood", path.join("::"))));
            }
            self.mention(path, first.span().start().line);
        }
    }

    /// `key = "path"` in an attribute, for the keys that name code, and the kind that kube's derive defines.
    fn scan_strings(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for three in tokens.windows(3) {
            let [TokenTree::Ident(key), TokenTree::Punct(equals), TokenTree::Literal(value)] = three else { continue };
            let Ok(value) = syn::parse_str::<syn::LitStr>(&value.to_string()) else { continue };
            let Ok(path) = syn::parse_str::<syn::Path>(&value.value()) else { continue };
            let names = names(&path);
            if equals.as_char() != '=' {
                continue;
            }
            if key == "kind" {
                self.module.words_of_macros.extend(names);
            } else if KEYS_OF_PATHS.iter().any(|known| key == known) {
                self.module.words.extend(names.first().cloned());
                self.module.mentions.push(Mention { path: names, line: key.span().start().line });
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let test = attributes(item).iter().any(is_test);
        if let Item::Mod(item) = item {
            return self.read_module(item, test);
        }
        if test {
            return;
        }
        match item {
            Item::Use(item) => return self.read_use(item),
            Item::Macro(item) => {
                if let Some(name) = &item.ident {
                    self.define(name, false);
                    self.module.macros.insert(name.to_string());
                }
                self.module.words_of_macros.extend(words(item.mac.tokens.clone()));
            }
            Item::Const(item) => self.define(&item.ident, false),
            Item::Enum(item) => self.define(&item.ident, true),
            Item::Fn(item) => self.define(&item.sig.ident, false),
            Item::Static(item) => self.define(&item.ident, false),
            Item::Struct(item) => self.define(&item.ident, true),
            Item::Trait(item) => self.define(&item.ident, true),
            Item::TraitAlias(item) => self.define(&item.ident, true),
            Item::Type(item) => self.define(&item.ident, true),
            Item::Union(item) => self.define(&item.ident, true),
            Item::Impl(_) => {}
            _ => self.module.errors.push((item.span().start().line, "an item of this sort is not understood".to_owned())),
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !item.attrs.iter().any(is_test) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        self.blocks += 1;
        visit::visit_block(self, block);
        self.blocks -= 1;
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.mention(names(path), path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    /// `pub(in a::path)` states where an item is visible; it imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        if let Some(name) = called.path.get_ident() {
            self.module.calls.push((name.to_string(), name.span().start().line));
        }
        self.visit_path(&called.path);
        self.scan(called.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            Meta::List(list) => {
                self.scan(list.tokens.clone());
                self.scan_strings(list.tokens.clone());
            }
            Meta::NameValue(value) if !value.path.is_ident("doc") => self.visit_expr(&value.value),
            Meta::NameValue(_) | Meta::Path(_) => {}
        }
    }
}

/// Whether a path begins within this crate, whatever its names are.
pub fn is_relative(first: &str) -> bool {
    matches!(first, "crate" | "self" | "super")
}

fn joined(before: &[String], last: &syn::Ident) -> Vec<String> {
    before.iter().cloned().chain([last.to_string()]).collect()
}

fn names(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn words(tokens: TokenStream) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => words.extend(self::words(group.stream())),
            TokenTree::Ident(word) => words.extend([word.to_string()]),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    words
}

/// `#[cfg(test)]`, also within `all(..)`. Every other condition counts as fulfilled.
fn is_test(attribute: &Attribute) -> bool {
    fn holds(meta: &Meta) -> bool {
        match meta {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("all") => list
                .parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated)
                .is_ok_and(|parts| parts.iter().any(holds)),
            Meta::List(_) | Meta::NameValue(_) => false,
        }
    }
    attribute.path().is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|condition| holds(&condition))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
