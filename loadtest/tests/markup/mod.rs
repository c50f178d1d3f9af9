//! A small reader of mark-up: enough to tell whether a page is well formed.

/// An element as it opens: its name and its attributes.
#[derive(Debug)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a text whole; each element is closed, each attribute is quoted and there once, each `&` begins an entity.
pub fn read(text: &str) -> Vec<Element> {
    let (mut all, mut open, mut rest) = (Vec::<Element>::new(), Vec::<usize>::new(), text);
    while let Some(at) = rest.find('<') {
        let words = &rest[..at];
        text_is_fine(words);
        if let Some(inside) = open.last() {
            all[*inside].text.push_str(words);
        }
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap_or_else(|| panic!("a tag does not end: {}", &rest[..rest.len().min(80)]));
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if tag.starts_with("!DOCTYPE") {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            let opened = open.pop().unwrap_or_else(|| panic!("{name} was not opened"));
            assert_eq!(all[opened].name, name, "closed in another order");
            continue;
        }
        let closed = tag.ends_with('/');
        let element = element(tag.trim_end_matches('/'));
        // What these hold is no mark-up.
        if ["script", "style"].contains(&element.name.as_str()) {
            let close = format!("</{}>", element.name);
            let end = rest.find(&close).unwrap_or_else(|| panic!("{close} is missing"));
            rest = &rest[end + close.len()..];
            all.push(element);
            continue;
        }
        all.push(element);
        if !closed {
            open.push(all.len() - 1);
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "not closed: {open:?} {rest}");
    all
}

fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "no name of an element: {tag}");
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !rest.trim().is_empty() {
        let (key, after) = rest.trim_start().split_once("=\"").unwrap_or_else(|| panic!("no quoted value: {tag}"));
        let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("no end of a value: {tag}"));
        assert!(key.chars().all(|c| c.is_ascii_alphabetic() || c == '-' || c.is_ascii_digit()), "no name of an attribute: {key}");
        assert!(attributes.iter().all(|(other, _)| other != key), "{key} twice: {tag}");
        assert!(after.is_empty() || after.starts_with(' '), "no room between attributes: {tag}");
        text_is_fine(value);
        assert!(!value.contains('<'), "{tag}");
        attributes.push((key.to_owned(), value.to_owned()));
        rest = after;
    }
    Element { name: name.to_owned(), attributes, text: String::new() }
}

fn text_is_fine(text: &str) {
    assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "a control character: {text:?}");
    for after in text.split('&').skip(1) {
        let entity = after.split_once(';').map(|(entity, _)| entity).unwrap_or_default();
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&entity), "no entity: &{after}");
    }
}
