//! A call between processes, both sides on one thread, so that its time is the processor time of both; against as many bytes there and
//! back over bare sockets.

#![allow(missing_docs, reason = "a program")]

use futures_util::future::{join_all, pending, try_join_all};
use mynah_measure::{Bench, Failed, each};
use mynah_rpc::{Channels, Serving, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Calls of a round.
const CALLS: u64 = 20_000;
/// Bytes of a message between services: those of a short one's send.
const BYTES: usize = 256;

async fn served() -> Result<String, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(serve(listener, Serving { routes: Routes::default(), tls: None, clock: None }, pending()));
    Ok(address)
}

/// Answers each message with as many bytes.
async fn echoed() -> Result<String, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; BYTES];
                while socket.read_exact(&mut bytes).await.is_ok() && socket.write_all(&bytes).await.is_ok() {}
            });
        }
    });
    Ok(address)
}

async fn connected(address: &str) -> Result<TcpStream, Failed> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn asked(socket: &mut TcpStream, times: u64) -> std::io::Result<()> {
    let mut bytes = [7; BYTES];
    for _ in 0..times {
        socket.write_all(&bytes).await?;
        socket.read_exact(&mut bytes).await?;
    }
    Ok(())
}

fn main() -> Result<(), Failed> {
    let mut bench = Bench::from_args("calls between processes")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (service, echo) = runtime.block_on(async { Ok::<_, Failed>((served().await?, echoed().await?)) })?;
    let channel = runtime.block_on(async { Channels::new(None).map(|channels| channels.to(&service)) })?.ok_or("no address")?;
    for together in [1, 64] {
        let times = (bench.count(CALLS) / together).max(1);
        let mut sockets = runtime.block_on(try_join_all((0..together).map(|_| connected(&echo))))?;
        bench.case(&format!("a call, {together} at one time"), "as many bytes there and back over bare sockets", || {
            let mut failed = None;
            let took = each(times * together, || {
                runtime.block_on(async {
                    let one = |mut client: HealthClient<_>| async move {
                        for _ in 0..times {
                            client.check(HealthCheckRequest { service: String::new() }).await?;
                        }
                        Ok::<_, tonic::Status>(())
                    };
                    let told = join_all((0..together).map(|_| one(HealthClient::new(channel.clone())))).await;
                    failed = told.into_iter().find_map(Result::err);
                });
            });
            if let Some(failed) = failed {
                return Err(failed.into());
            }
            let mut echoed = Ok(Vec::new());
            let floor = each(times * together, || {
                echoed = runtime.block_on(try_join_all(sockets.iter_mut().map(|socket| asked(socket, times))));
            });
            echoed?;
            Ok((took, floor))
        })?;
    }
    bench.print();
    Ok(())
}
