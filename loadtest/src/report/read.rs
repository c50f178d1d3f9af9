//! A report out of a file.

use std::path::Path;

use super::model::Report;
use crate::Failed;

/// Reads one.
///
/// # Errors
/// When the file cannot be read, or is no report; the error names the field.
pub fn read(path: &Path) -> Result<Report, Failed> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Reads one out of a text.
///
/// # Errors
/// In words, with the field that is wrong or missing.
pub fn parse(text: &str) -> Result<Report, String> {
    let mut input = serde_json::Deserializer::from_str(text);
    let report: Report = serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let field = error.path().to_string();
        let at = if field == "." { String::new() } else { format!(" at `{field}`") };
        format!("not a report of a run{at}: {}", error.inner())
    })?;
    input.end().map_err(|error| format!("not a report of a run: {error}"))?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_field_is_named() {
        let mut value = serde_json::to_value(Report::default()).unwrap();
        assert_eq!(parse(&value.to_string()).unwrap(), Report::default());
        value["verdict"]["lost"] = "none".into();
        let error = parse(&value.to_string()).unwrap_err();
        assert!(error.contains("`verdict.lost`") && error.contains("invalid type"), "{error}");
        value["verdict"].as_object_mut().unwrap().remove("lost");
        let error = parse(&value.to_string()).unwrap_err();
        assert!(error.contains("`verdict`") && error.contains("missing field `lost`"), "{error}");
    }

    #[test]
    fn foreign_text_is_refused() {
        for text in ["", "[]", "{}", "null", "hello"] {
            assert!(parse(text).unwrap_err().starts_with("not a report of a run"), "{text}");
        }
        let whole = serde_json::to_string(&Report::default()).unwrap();
        assert!(parse(&format!("{whole} more")).is_err());
        assert!(parse(&whole.replace("\"cores\":0", "\"cores\":-1")).unwrap_err().contains("`machine.cores`"));
    }
}
