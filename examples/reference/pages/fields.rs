//! The fields of a JSON schema as rows of a table.

use std::fmt::Write as _;

use rds_backup_operator::api::Span;
use serde_json::Value;

use super::cell;

pub const HEAD: &str = "| Field | Type | Default | Meaning |\n|---|---|---|---|\n";

/// Where fields come from.
pub struct Source<'a> {
    /// What `$ref` refers to.
    pub root: &'a Value,
    /// A schema of the same shape that describes each value of an enum, for a `root` that does not.
    pub values: Option<&'a Value>,
    /// Fields that are described elsewhere: their paths, each with a reference.
    pub elsewhere: &'a [(&'a str, &'a str)],
}

impl Source<'_> {
    /// Writes a row for every property of `schema` and of the schemas inside it.
    pub fn rows(&self, schema: &Value, prefix: &str, out: &mut String) {
        let schema = follow(self.root, schema);
        let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let property = follow(self.root, property);
            self.row(&property, &path, required.contains(&name.as_str()), out);
        }
    }

    fn row(&self, property: &Value, path: &str, required: bool, out: &mut String) {
        let elsewhere = self.elsewhere.iter().find(|(known, _)| *known == path);
        let default = match (required, property.get("default")) {
            (true, _) => "required".to_owned(),
            (false, Some(Value::String(text))) => format!("`{text}`"),
            // The defaults of an object or a list are shown in the rows of its members.
            (false, Some(Value::Object(_) | Value::Array(_) | Value::Null) | None) => String::new(),
            (false, Some(default)) => format!("`{default}`"),
        };
        let mut words = vec![sentence(property["description"].as_str().unwrap_or_default())];
        words.extend(self.meanings(property, path));
        words.extend(limits(property));
        words.extend(rules(property).map(|message| format!("Rule: {message}.")));
        words.extend(elsewhere.map(|(_, note)| (*note).to_owned()));
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let id = path.replace(['[', ']', '<', '>'], "").to_lowercase();
        let _ = writeln!(out, "| <a id=\"{id}\"></a>`{path}` | {} | {default} | {} |", self.kind(property), cell(&words.join(" ")));
        if elsewhere.is_some() {
            return;
        }
        self.rows(property, path, out);
        self.rows(&property["items"], &format!("{path}[]"), out);
        self.rows(&property["additionalProperties"], &format!("{path}.<name>"), out);
        for (value, variant) in tagged(property) {
            let mut others = variant.clone();
            if let Some(properties) = others["properties"].as_object_mut() {
                properties.remove("type");
            }
            let mut rows = String::new();
            self.rows(&others, path, &mut rows);
            out.push_str(&rows.replace("| required |", &format!("| required with `type: {value}` |")));
        }
    }

    fn kind(&self, property: &Value) -> String {
        if is_length_of_time(property) {
            return "length of time, for example `90s`, `30m`, `1h30m`".to_owned();
        }
        if property["anyOf"].as_array().is_some_and(|either| either.iter().any(is_length_of_time)) {
            return "length of time, or `Never`".to_owned();
        }
        if property["format"] == "date-time" {
            return "time (RFC 3339)".to_owned();
        }
        if !values(property).is_empty() || !tagged(property).is_empty() {
            return "one of several".to_owned();
        }
        match property["type"].as_str() {
            Some("array") => format!("list of {}s", self.kind(&follow(self.root, &property["items"]))),
            Some("object") if property["additionalProperties"]["type"] == "string" => "map of strings".to_owned(),
            Some("object") if property.get("additionalProperties").is_some_and(Value::is_object) => "map of objects".to_owned(),
            Some(kind) => kind.to_owned(),
            None => String::new(),
        }
    }

    /// The meaning of each value of an enum.
    fn meanings(&self, property: &Value, path: &str) -> Vec<String> {
        let mut meanings = values(property);
        if let Some(source) = self.values.filter(|_| !meanings.is_empty()) {
            meanings = values(&at(source, path));
        }
        for (value, variant) in tagged(property) {
            meanings.push((format!("type: {value}"), variant["description"].as_str().unwrap_or_default().to_owned()));
        }
        meanings
            .into_iter()
            .map(|(value, meaning)| match meaning.is_empty() {
                true => format!("`{value}`."),
                false => format!("`{value}`: {}", sentence(&meaning)),
            })
            .collect()
    }
}

/// The values of an enum, each with the schema's description.
fn values(property: &Value) -> Vec<(String, String)> {
    let listed = property["enum"].as_array().into_iter().flatten();
    let described = property["oneOf"].as_array().into_iter().flatten();
    let listed = listed.filter_map(|value| Some((value.as_str()?.to_owned(), String::new())));
    let described = described.filter_map(|one| {
        let value = one["const"].as_str().or(one["enum"].as_array().and_then(|list| list.first()?.as_str()))?;
        Some((value.to_owned(), one["description"].as_str().unwrap_or_default().to_owned()))
    });
    listed.chain(described).collect()
}

/// The objects of an enum whose variant is given by the key `type`.
fn tagged(property: &Value) -> Vec<(&str, &Value)> {
    let variants = property["oneOf"].as_array().into_iter().flatten();
    variants.filter_map(|variant| Some((variant["properties"]["type"]["const"].as_str()?, variant))).collect()
}

/// The messages of the rules of a schema itself, without those of its fields.
pub fn rules(schema: &Value) -> impl Iterator<Item = &str> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    rules.filter(|rule| rule.get("fieldPath").is_none()).filter_map(|rule| rule["message"].as_str())
}

fn limits(property: &Value) -> Vec<String> {
    let number = |key: &str| property[key].as_f64();
    let mut words = Vec::new();
    let mut between = |least: Option<f64>, most: Option<f64>, what: &str| match (least, most) {
        (Some(least), Some(most)) => words.push(format!("{least} to {most}{what}.")),
        (None, Some(most)) => words.push(format!("At most {most}{what}.")),
        (Some(least), None) => words.push(format!("{least} or more{what}.")),
        (None, None) => {}
    };
    between(number("minimum"), number("maximum"), "");
    between(number("minItems"), number("maxItems"), " items");
    between(number("minProperties"), number("maxProperties"), " entries");
    let is_time = is_length_of_time(property);
    let pattern = property["pattern"].as_str().filter(|_| !is_time);
    // The form of a length of time limits the length of the text already.
    if !is_time {
        between(number("minLength"), number("maxLength"), " characters");
    }
    words.extend(pattern.map(|pattern| format!("It matches `{pattern}`.")));
    for inner in ["items", "additionalProperties"].into_iter().filter(|inner| property[inner].is_object()) {
        let of_each = limits(&property[inner]);
        words.extend(of_each.into_iter().map(|limit| format!("Each: {}{}", limit[..1].to_lowercase(), &limit[1..])));
    }
    words
}

/// Whether it is a [`Span`]: by its pattern in the configuration, by its rule in the CRDs.
fn is_length_of_time(property: &Value) -> bool {
    let rules = property["x-kubernetes-validations"].as_array().into_iter().flatten().map(|rule| &rule["rule"]);
    std::iter::once(&property["pattern"]).chain(rules).filter_map(Value::as_str).any(|rule| rule.contains(Span::PATTERN))
}

/// The property at a path such as `spec.databases[].x`, in a schema with references.
fn at(root: &Value, path: &str) -> Value {
    let mut schema = follow(root, root);
    for piece in path.split('.') {
        schema = follow(root, &schema["properties"][piece.trim_end_matches("[]")]);
        if piece.ends_with("[]") {
            schema = follow(root, &schema["items"]);
        }
    }
    schema
}

/// The schema that `$ref` names, with the keywords beside the `$ref`.
fn follow(root: &Value, schema: &Value) -> Value {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    let optional = schema["anyOf"].as_array().and_then(|either| either.iter().find_map(|one| one["$ref"].as_str()));
    let Some(pointer) = reference.or(optional).and_then(|reference| reference.strip_prefix('#')) else { return schema.clone() };
    let mut found = follow(root, root.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in the schema")));
    for (key, value) in schema.as_object().into_iter().flatten().filter(|(key, _)| !matches!(key.as_str(), "$ref" | "allOf" | "anyOf")) {
        found[key] = value.clone();
    }
    found
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', ':', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
