//! Redis: who is online where.

use std::time::Duration;

use mynah_redis::{RedisPresence, Servers, Settings};
use mynah_types::GatewayId;

use super::protection::tell;
use crate::kinds::RedisMode;
use crate::process::{Outcome, Process};

/// Presence as a gateway tells it.
pub(crate) fn presence(process: &Process, gateway: GatewayId) -> Outcome<RedisPresence> {
    let settings = Settings { address: process.settings.address(), ..settings(process, Some(gateway))? };
    Ok(RedisPresence::start(settings)?)
}

/// Presence as the others read it.
pub(crate) fn reader(process: &Process) -> Outcome<RedisPresence> {
    Ok(RedisPresence::start(settings(process, None)?)?)
}

fn settings(process: &Process, gateway: Option<GatewayId>) -> Outcome<Settings> {
    let told = &process.settings;
    let servers = match (told.redis_mode, told.redis.as_slice()) {
        (RedisMode::Single, [url]) => Servers::Single(url.clone()),
        (RedisMode::Single, _) => return Err("bad settings:\n  redis: one server, unless redis_mode says otherwise".into()),
        (RedisMode::Sentinel, urls) => Servers::Sentinel { sentinels: urls.to_vec(), master: told.redis_master.clone() },
        (RedisMode::Cluster, urls) => Servers::Cluster(urls.to_vec()),
    };
    let lifetime = Duration::from_millis(told.presence_ms);
    let heartbeat = lifetime / 5;
    tell(told, "redis", told.redis.iter().any(|url| url.starts_with("rediss:") || url.starts_with("valkeys:")));
    let authorities = process.authorities.clone();
    Ok(Settings { authorities, prefix: told.prefix.clone(), lifetime, heartbeat, ..Settings::new(servers, gateway) })
}
