//! `gateway`: the REST API, device connections, media, the web page.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mynah_cluster::gateway::main()
}
