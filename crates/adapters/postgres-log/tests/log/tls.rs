//! Over TLS: each connection, also one that is made again.

use mynah_engines::{Authority, PostgreSql};
use mynah_postgres_log::{OpenError, Options, PostgresLog};
use mynah_types::Appended;

use crate::support::{Writer, whole};

fn trusting(authority: &Authority) -> Options {
    Options { authorities: Some(authority.pem()), ..Options::default() }
}

#[tokio::test]
async fn a_log_over_tls_works_and_goes_on_over_tls_when_its_server_is_back() {
    let authority = Authority::new().unwrap();
    // It takes nothing in the clear.
    let mut server = PostgreSql::start_tls(&authority.certificate().unwrap()).unwrap();
    server.create_database("log").unwrap();
    let url = format!("{}?sslmode=verify-full", server.url("log"));
    let log = PostgresLog::open(&url, &trusting(&authority)).await.unwrap();
    let mut writer = Writer::on(&log).await.unwrap();
    assert_eq!(writer.next(3).await, Appended::Done);
    server.kill();
    server.restart().unwrap();
    // The first that is asked over a dead connection is told so.
    let mut again = loop {
        match Writer::on(&log).await {
            Ok(writer) => break writer,
            Err(error) => assert!(error.to_string().contains("connection closed"), "{error}"),
        }
    };
    assert_eq!(again.next(2).await, Appended::Done);
    assert_eq!(whole(&log).await, 5);
}

#[tokio::test]
async fn a_log_of_an_authority_that_is_not_trusted_is_not_opened() {
    let (authority, strange) = (Authority::new().unwrap(), Authority::new().unwrap());
    let server = PostgreSql::start_tls(&authority.certificate().unwrap()).unwrap();
    let url = format!("{}?sslmode=require", server.url("postgres"));
    let refused = PostgresLog::open(&url, &trusting(&strange)).await.err().unwrap();
    assert!(matches!(&refused, OpenError::Unavailable(why) if why.contains("UnknownIssuer")), "{refused}");
    let plain = PostgreSql::start().unwrap();
    let url = format!("{}?sslmode=require", plain.url("postgres"));
    let refused = PostgresLog::open(&url, &trusting(&authority)).await.err().unwrap();
    assert!(matches!(&refused, OpenError::Unavailable(why) if why.contains("does not support TLS")), "{refused}");
}

#[tokio::test]
async fn an_address_that_might_be_in_the_clear_is_no_address() {
    let url = "postgres://mynah@127.0.0.1:1/log?sslmode=prefer";
    let refused = PostgresLog::open(url, &Options::default()).await.err().unwrap();
    assert!(matches!(&refused, OpenError::Address(why) if why.contains("sslmode=prefer")), "{refused}");
}
