//! Engines that cannot prove who they are: what a process says, and that it never goes on in the clear.

use std::process::Command;

use mynah_engines::{Authority, PostgreSql, Redis, free_port};

use crate::starts::Process;
use crate::support::{Deployment, turn, until};

fn nobody() -> String {
    format!("127.0.0.1:{}", free_port().unwrap())
}

/// A file with an authority's certificate.
fn file(folder: &tempfile::TempDir, name: &str, authority: &Authority) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, authority.pem()).unwrap();
    path.display().to_string()
}

fn router(postgresql: &str, redis: &str, authorities: &str) -> Process {
    let settings = [
        ("log_database", postgresql.to_owned()),
        ("redis", redis.to_owned()),
        ("engines_tls_ca", authorities.to_owned()),
        ("kafka", nobody()),
        ("kafka_security", "ssl".to_owned()),
        ("directories", nobody()),
    ];
    Process::start(env!("CARGO_BIN_EXE_router"), &settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_says_why_it_does_not_take_its_database_and_takes_it_when_it_proves_itself() {
    let _turn = turn().await;
    let (authority, strange) = (Authority::new().unwrap(), Authority::new().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (own, foreign) = (file(&folder, "own.pem", &authority), file(&folder, "foreign.pem", &strange));
    let (certificate, expired) = (authority.certificate().unwrap(), authority.expired_certificate().unwrap());
    let (mut postgresql, late, plain, redis) = tokio::task::block_in_place(|| {
        let (tls, late) = (PostgreSql::start_tls(&certificate).unwrap(), PostgreSql::start_tls(&expired).unwrap());
        (tls, late, PostgreSql::start().unwrap(), Redis::start_tls(&certificate).unwrap())
    });
    let asking = |server: &PostgreSql| format!("{}?sslmode=verify-full", server.url("postgres"));
    let cases = [
        (asking(&postgresql), &foreign, "UnknownIssuer"),
        (asking(&postgresql).replace("127.0.0.1", "localhost"), &own, "not valid for name"),
        (asking(&late), &own, "certificate expired"),
        (asking(&plain), &own, "server does not support TLS"),
    ];
    for (url, authorities, why) in cases {
        let process = router(&url, &redis.url(), authorities);
        let says = || process.says(503, "waiting for the message log's database") && process.says(503, why);
        until(why, says).await;
        assert!(process.says(503, "engines_tls_ca"), "{:?}", process.readiness());
    }
    let process = router(&asking(&postgresql), &redis.url(), &own);
    until("green", || process.says(200, "ready")).await;
    // A connection that is made again is over TLS as well: the server takes no other.
    postgresql.kill();
    until("red", || process.readiness().is_some_and(|(status, _)| status == 503)).await;
    tokio::task::block_in_place(|| postgresql.restart()).unwrap();
    until("green again", || process.says(200, "ready")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_says_why_it_does_not_take_its_database() {
    let _turn = turn().await;
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (own, foreign) = (file(&folder, "own.pem", &authority), file(&folder, "foreign.pem", &Authority::new().unwrap()));
    let key = folder.path().join("secret.key");
    std::fs::write(&key, [7; 32]).unwrap();
    let certificate = authority.certificate().unwrap();
    let postgresql = tokio::task::block_in_place(|| PostgreSql::start_tls(&certificate).unwrap());
    let settings = |authorities: String| {
        [
            ("directory_database", format!("{}?sslmode=require", postgresql.url("postgres"))),
            ("engines_tls_ca", authorities),
            ("redis", format!("redis://{}/", nobody())),
            ("routers", nobody()),
            ("secret_key_file", key.display().to_string()),
        ]
    };
    let directory = Process::start(env!("CARGO_BIN_EXE_directory"), &settings(foreign));
    until("red, and why", || directory.says(503, "UnknownIssuer") && directory.says(503, "engines_tls_ca")).await;
    let directory = Process::start(env!("CARGO_BIN_EXE_directory"), &settings(own.clone()));
    until("green", || directory.says(200, "ready")).await;
    // The operator's commands reach it the same way.
    let mut list = Command::new(env!("CARGO_BIN_EXE_directory"));
    for (name, value) in settings(own) {
        list.env(format!("MYNAH_{}", name.to_ascii_uppercase()), value);
    }
    let output = tokio::task::block_in_place(|| list.args(["app", "list"]).output()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A further gateway of a deployment over TLS, which trusts another authority. What it says, in `/readyz` and in its log.
pub async fn a_gateway_that_trusts_another_authority_says_why(deployment: &Deployment) {
    let folder = tempfile::tempdir().unwrap();
    let foreign = file(&folder, "foreign.pem", &Authority::new().unwrap());
    let own = [("http_listen", nobody()), ("engines_tls_ca", foreign), ("data_dir", folder.path().display().to_string())];
    let of_all = deployment.cluster.settings().iter().map(|(name, value)| (name.as_str(), value.clone()));
    let settings: Vec<_> = of_all.filter(|(name, _)| own.iter().all(|(mine, _)| mine != name)).chain(own.clone()).collect();
    let log = folder.path().join("log");
    let output = std::fs::File::create(&log).unwrap().into();
    let gateway = Process::start_telling(env!("CARGO_BIN_EXE_gateway"), &settings, output);
    until("red, and why", || gateway.says(503, "UnknownIssuer") && gateway.says(503, "engines_tls_ca")).await;
    let said = |words: &[&str]| {
        let log = std::fs::read_to_string(&log).unwrap();
        log.lines().any(|line| words.iter().all(|word| line.contains(word)))
    };
    until("Redis's certificate", || said(&["presence is not told", "UnknownIssuer"])).await;
    until("the storage's certificate", || said(&["s3_endpoint", "engines_tls_ca", "UnknownIssuer"])).await;
    until("Kafka's certificate", || said(&["Kafka", "certificate verify failed"])).await;
    for engine in ["redis", "kafka", "s3_endpoint"] {
        assert!(said(&["over TLS", &format!("named_by=\"{engine}\""), "engines_tls_ca="]), "{engine}");
    }
}

#[test]
fn what_cannot_be_had_is_refused_at_the_start_by_name() {
    let database = "postgres://mynah@127.0.0.1:1/log";
    let usual = [("name", "one"), ("directories", "127.0.0.1:1"), ("kafka", "127.0.0.1:1"), ("redis", "redis://127.0.0.1:1/")];
    let prefer = format!("{database}?sslmode=prefer");
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("log_database", &prefer)], "log_database: sslmode=prefer is not supported"),
        (&[("log_database", database), ("engines_tls_ca", "/nowhere/ca.pem")], "engines_tls_ca: /nowhere/ca.pem: "),
        (&[("log_database", database), ("engines_tls_ca", "/dev/null")], "engines_tls_ca: /dev/null: it holds no certificate"),
        (&[("log_database", database), ("kafka_security", "tls")], "MYNAH_KAFKA_SECURITY"),
        (&[("log_database", database), ("kafka_security", "sasl_ssl")], "kafka_user, kafka_password: must be set"),
        (&[("log_database", database), ("kafka_user", "anna")], "kafka_user, kafka_password: nobody logs in"),
    ];
    for (settings, why) in cases {
        let mut router = Command::new(env!("CARGO_BIN_EXE_router"));
        router.env("MYNAH_OPS_LISTEN", "127.0.0.1:0").env("MYNAH_GRPC_LISTEN", "127.0.0.1:0");
        for (name, value) in usual.iter().chain(settings) {
            router.env(format!("MYNAH_{}", name.to_ascii_uppercase()), value);
        }
        let output = router.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{why}: {said}");
    }
}
