//! The settings of `mynah`: those of the product, and what the embedded engines need.

use std::path::PathBuf;

use mynah_runtime::settings::Key;
use mynah_settings::{HasProduct, Product, parse};

/// Everything that can be set.
#[derive(Debug)]
pub struct Settings {
    /// Folder of all data.
    pub data_dir: PathBuf,
    /// Start although the message log has lost durable commits.
    pub accept_log_loss: bool,
    /// What the product does.
    pub product: Product,
}

impl Default for Settings {
    fn default() -> Self {
        Self { data_dir: "data".into(), accept_log_loss: false, product: Product::default() }
    }
}

impl HasProduct for Settings {
    fn product(&mut self) -> &mut Product {
        &mut self.product
    }
}

/// The table: each row is the file's key, the environment's variable and the flag.
#[must_use]
pub fn keys() -> Vec<Key<Settings>> {
    let mut keys: Vec<Key<Settings>> = vec![
        Key { name: "data_dir", help: "Folder of all data [default: data]", set: |s, v| parse(v, "a path", &mut s.data_dir) },
        Key {
            name: "accept_log_loss",
            help: "Start although the message log has lost durable commits; devices then start anew [default: false]",
            set: |s, v| parse(v, "true or false", &mut s.accept_log_loss),
        },
    ];
    keys.extend(mynah_settings::keys());
    keys
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mynah_runtime::settings::{Sources, read, untrue_defaults};

    #[test]
    fn the_help_tells_the_true_defaults() {
        assert_eq!(untrue_defaults(&keys()), Vec::<&str>::new());
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (name, value) in
            [("http_listen", "8080"), ("data_dir", ""), ("log", "a=b=c"), ("session_days", "0"), ("zone_minutes", "900")]
        {
            let sources = Sources { file: None, environment: Vec::new(), flags: vec![(name.into(), value.into())] };
            let problem = read(&keys(), &sources).unwrap_err().0.concat();
            assert!(problem.contains(&name.replace('_', "-")), "{problem}");
        }
    }
}
