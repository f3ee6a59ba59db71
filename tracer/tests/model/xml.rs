//! As much of XML as it takes to say that a document is well formed.

/// What is wrong with a document, if anything.
pub(crate) fn problem(document: &str) -> Option<String> {
    let bad = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\r' | '\t') || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if let Some(character) = document.chars().find(|c| bad(*c)) {
        return Some(format!("{character:?} is not a character of XML"));
    }
    let mut open: Vec<&str> = Vec::new();
    let mut rest = document;
    while let Some((text, markup)) = rest.split_once('<') {
        if let Some(problem) = text_problem(text) {
            return Some(problem);
        }
        let (end, kind) = [("!--", "-->"), ("![CDATA[", "]]>"), ("", ">")]
            .into_iter()
            .find(|(start, _)| markup.starts_with(start))
            .map(|(start, end)| (end, start))?;
        let Some((inside, after)) = markup.split_once(end) else {
            return Some(format!("no {end} after <{kind}"));
        };
        rest = after;
        if !kind.is_empty() || inside.starts_with(['?', '!']) || inside.ends_with('/') {
            continue;
        }
        match inside.strip_prefix('/') {
            Some(name) if open.last() == Some(&name) => {
                open.pop();
            }
            Some(name) => return Some(format!("</{name}> within {open:?}")),
            None => {
                if inside.matches('"').count() % 2 == 1 {
                    return Some(format!("an attribute of <{inside}> does not end"));
                }
                open.push(inside.split_whitespace().next().unwrap_or_default());
            }
        }
    }
    if !open.is_empty() {
        return Some(format!("{open:?} do not end"));
    }
    (!rest.trim().is_empty()).then(|| format!("text after the end: {rest:?}"))
}

fn text_problem(text: &str) -> Option<String> {
    const KNOWN: [&str; 5] = ["amp;", "lt;", "gt;", "quot;", "apos;"];
    let mut entities = text.split('&').skip(1);
    let unknown = entities.find(|entity| !KNOWN.iter().any(|known| entity.starts_with(known)))?;
    Some(format!("&{unknown} is not an entity"))
}

#[test]
fn problems_are_seen() {
    for good in [
        "<a/>",
        "<?xml?>\n<a b=\"c\">x &amp; y<!-- <z> --><![CDATA[ < & ]]></a>",
    ] {
        assert_eq!(problem(good), None, "{good}");
    }
    for bad in [
        "<a>",
        "<a></b>",
        "<a>&</a>",
        "<a>\u{7}</a>",
        "<a>\u{fffe}</a>",
        "<a",
        "<a b=\"></a>",
        "x",
    ] {
        assert!(problem(bad).is_some(), "{bad}");
    }
}
