//! The scripts. All keys of one call lie in one bucket, and thus in one slot of a cluster.

use std::sync::LazyLock;

use redis::{Cmd, Script, cmd};

pub(crate) static PUT: Code = Code::new(include_str!("scripts/put.lua"), || Script::new(include_str!("scripts/put.lua")));
pub(crate) static BEAT: Code = Code::new(include_str!("scripts/beat.lua"), || Script::new(include_str!("scripts/beat.lua")));
pub(crate) static LOOK: Code = Code::new(include_str!("scripts/look.lua"), || Script::new(include_str!("scripts/look.lua")));
pub(crate) static END: Code = Code::new(include_str!("scripts/end.lua"), || Script::new(include_str!("scripts/end.lua")));

/// A script, and its hash once it was needed.
pub(crate) struct Code {
    text: &'static str,
    script: LazyLock<Script>,
}

impl Code {
    const fn new(text: &'static str, script: fn() -> Script) -> Self {
        Self { text, script: LazyLock::new(script) }
    }
}

/// How a script is named to a server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// By its hash: short, when the server has it.
    Hash,
    /// By its text, which the server keeps.
    Text,
}

/// One call of a script.
pub(crate) struct Call {
    code: &'static Code,
    keys: Vec<String>,
    args: Vec<String>,
}

impl Call {
    pub(crate) fn new(code: &'static Code, keys: impl IntoIterator<Item = String>) -> Self {
        Self { code, keys: keys.into_iter().collect(), args: Vec::new() }
    }

    pub(crate) fn arg(mut self, arg: impl ToString) -> Self {
        self.args.push(arg.to_string());
        self
    }

    pub(crate) fn command(&self, form: Form) -> Cmd {
        let mut command = match form {
            Form::Hash => cmd("EVALSHA"),
            Form::Text => cmd("EVAL"),
        };
        match form {
            Form::Hash => command.arg(self.code.script.get_hash()),
            Form::Text => command.arg(self.code.text),
        };
        command.arg(self.keys.len()).arg(&self.keys).arg(&self.args);
        command
    }
}
