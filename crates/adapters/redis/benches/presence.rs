//! Presence told to Redis, against a pipeline of as many SETs of the same size on the same server.

#![allow(missing_docs, reason = "a program")]

use futures_util::future::join_all;
use mynah_engines::Redis;
use mynah_measure::{Bench, Failed, each};
use mynah_ports::Presence as _;
use mynah_ports::presence::OnlineDevice;
use mynah_redis::{RedisPresence, Servers, Settings};
use mynah_types::{GatewayId, Uid};

/// Devices of a round.
const DEVICES: u64 = 20_000;
const GATEWAY: GatewayId = GatewayId(1);

fn device(uid: u64, generation: u64) -> OnlineDevice {
    OnlineDevice { uid: Uid(uid), conn: uid, gateway: GATEWAY, platform: 'a', session_id: uid * 10, generation }
}

/// Bytes of a user's line, name and all, as it lies in Redis.
async fn line(raw: &mut redis::aio::MultiplexedConnection, uid: u64) -> Result<(String, usize), Failed> {
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("*:user:{uid}")).query_async(raw).await?;
    let key = keys.into_iter().next().ok_or("the line is not there")?;
    let fields: Vec<String> = redis::cmd("HGETALL").arg(&key).query_async(raw).await?;
    Ok((key, fields.iter().map(String::len).sum()))
}

fn main() -> Result<(), Failed> {
    let mut bench = Bench::from_args("redis presence")?;
    let server = Redis::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let settings = Settings::new(Servers::Single(server.url()), Some(GATEWAY));
    let presence = runtime.block_on(async { RedisPresence::start(settings) })?;
    let mut raw = runtime.block_on(redis::Client::open(server.url())?.get_multiplexed_async_connection())?;
    // The first call waits for the lease.
    runtime.block_on(presence.online(device(1, 1)))?;
    let (key, size) = runtime.block_on(line(&mut raw, 1))?;
    let value = "x".repeat(size);
    let mut generation = 1;
    for together in [1, 64, 1024] {
        let count = bench.count(if together == 1 { DEVICES / 10 } else { DEVICES }) / together * together;
        let count = count.max(together);
        let floor = "a pipeline of as many SETs of the same size";
        bench.case(&format!("a device, {together} told at one time"), floor, || {
            generation += 1;
            let mut failed = None;
            let took = each(count, || {
                runtime.block_on(async {
                    for from in (0..count).step_by(usize::try_from(together).unwrap_or(1)) {
                        let told =
                            join_all((from..from + together).map(|uid| presence.online(device(uid + 1, generation)))).await;
                        failed = told.into_iter().find_map(Result::err).or(failed.take());
                    }
                });
            });
            if let Some(failed) = failed {
                return Err(failed.into());
            }
            let mut failed = None;
            let floor = each(count, || {
                runtime.block_on(async {
                    for from in (0..count).step_by(usize::try_from(together).unwrap_or(1)) {
                        let mut pipeline = redis::pipe();
                        for uid in from..from + together {
                            pipeline.set(format!("floor-{key}{uid}"), &value).ignore();
                        }
                        failed = pipeline.exec_async(&mut raw).await.err().or(failed.take());
                    }
                });
            });
            failed.map_or(Ok((took, floor)), |error| Err(error.into()))
        })?;
    }
    bench.print();
    Ok(())
}
