//! The scripts. Each touches the one key that it is given.

use std::sync::LazyLock;

use redis::{Cmd, Pipeline, Script, cmd, pipe};

pub(crate) static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(PUT_CODE));
pub(crate) static BEAT: LazyLock<Script> = LazyLock::new(|| Script::new(BEAT_CODE));
pub(crate) static END: LazyLock<Script> = LazyLock::new(|| Script::new(END_CODE));

const PUT_CODE: &str = include_str!("scripts/put.lua");
const BEAT_CODE: &str = include_str!("scripts/beat.lua");
const END_CODE: &str = include_str!("scripts/end.lua");

/// Makes all of them known to a server.
pub(crate) fn load() -> Pipeline {
    let mut commands = pipe();
    for code in [PUT_CODE, BEAT_CODE, END_CODE] {
        commands.cmd("SCRIPT").arg("LOAD").arg(code).ignore();
    }
    commands
}

/// A call of a script with its key; the arguments follow.
pub(crate) fn call(script: &Script, key: &str) -> Cmd {
    let mut call = cmd("EVALSHA");
    call.arg(script.get_hash()).arg(1).arg(key);
    call
}
