//! Against real servers: who is connected to, and who is not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error as _;

use mynah_engines::{Authority, PostgreSql};
use mynah_postgres_tls::Address;
use tokio_postgres::Client;

async fn connect(url: &str, authorities: &str) -> Result<Client, String> {
    let address = Address::read(url, Some(authorities)).unwrap();
    let (client, connection) = address.config.connect(address.connector).await.map_err(|error| {
        let cause = error.source().map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    })?;
    tokio::spawn(connection);
    Ok(client)
}

fn asking(server: &PostgreSql, host: &str, mode: &str) -> String {
    format!("{}?sslmode={mode}", server.url("postgres")).replace("127.0.0.1", host)
}

#[tokio::test]
async fn a_certificate_of_the_authority_with_the_hosts_name_is_connected_to_over_tls() {
    let authority = Authority::new().unwrap();
    let server = PostgreSql::start_tls(&authority.certificate().unwrap()).unwrap();
    for mode in ["require", "verify-full", "verify-full&sslnegotiation=postgres"] {
        let client = connect(&asking(&server, "127.0.0.1", mode), &authority.pem()).await.unwrap();
        let sql = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let row = client.query_one(sql, &[]).await.unwrap();
        assert_eq!((row.get(0), row.get(1)), (true, "TLSv1.3"), "{mode}");
    }
    // Several authorities are as good as one.
    let several = format!("{}{}", Authority::new().unwrap().pem(), authority.pem());
    connect(&asking(&server, "127.0.0.1", "verify-full"), &several).await.unwrap();
    // It takes nothing in the clear, so that what was connected above was not.
    let plain = connect(&asking(&server, "127.0.0.1", "disable"), &authority.pem()).await.err().unwrap();
    assert!(plain.contains("no encryption"), "{plain}");
}

#[tokio::test]
async fn another_authority_or_host_is_refused_whatever_the_mode() {
    let authority = Authority::new().unwrap();
    let server = PostgreSql::start_tls(&authority.certificate().unwrap()).unwrap();
    let strange = Authority::new().unwrap().pem();
    for mode in ["require", "verify-full"] {
        let foreign = connect(&asking(&server, "127.0.0.1", mode), &strange).await.err().unwrap();
        assert!(foreign.contains("invalid peer certificate: UnknownIssuer"), "{foreign}");
        let other = connect(&asking(&server, "localhost", mode), &authority.pem()).await.err().unwrap();
        assert!(other.contains("not valid for name \"localhost\""), "{other}");
    }
    // Nor does the system know the test's own authority.
    let address = Address::read(&asking(&server, "127.0.0.1", "require"), None).unwrap();
    assert!(address.config.connect(address.connector).await.is_err());
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new().unwrap();
    let server = PostgreSql::start_tls(&authority.expired_certificate().unwrap()).unwrap();
    let expired = connect(&asking(&server, "127.0.0.1", "require"), &authority.pem()).await.err().unwrap();
    assert!(expired.contains("certificate expired"), "{expired}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_asked_for() {
    let server = PostgreSql::start().unwrap();
    let authority = Authority::new().unwrap().pem();
    for mode in ["require", "verify-full"] {
        let refused = connect(&asking(&server, "127.0.0.1", mode), &authority).await.err().unwrap();
        assert!(refused.contains("server does not support TLS"), "{refused}");
    }
    connect(&asking(&server, "127.0.0.1", "disable"), &authority).await.unwrap();
    connect(&server.url("postgres"), &authority).await.unwrap();
}
