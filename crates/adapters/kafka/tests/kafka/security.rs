//! Brokers that are reached over TLS, and that ask who we are.

use std::sync::OnceLock;
use std::time::Duration;

use mynah_engines::{Authority, Kafka};
use mynah_kafka::{KafkaBus, KafkaChanges, Login, Mechanism, Security, Settings};
use mynah_ports::bus::Error;
use mynah_ports::contract::bus::record;
use mynah_ports::contract::changes::change;
use mynah_ports::{Bus as _, Changes as _};

use crate::support::{on_new_topic, shared, take_different};

/// Longer than a handshake takes, and shorter than a test may wait for what never comes.
const REFUSED_WITHIN: Duration = Duration::from_secs(8);
const MECHANISMS: [Mechanism; 3] = [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512];

struct Secured {
    kafka: Kafka,
    authorities: String,
}

/// One broker for these tests. It ends with the process.
fn secured() -> &'static Secured {
    static SECURED: OnceLock<Secured> = OnceLock::new();
    SECURED.get_or_init(|| {
        let authority = Authority::new().unwrap();
        let kafka = Kafka::start_secured(&authority.certificate().unwrap()).unwrap();
        Secured { kafka, authorities: authority.pem() }
    })
}

impl Secured {
    fn login(&self, mechanism: Mechanism) -> Login {
        let known = self.kafka.login();
        Login { mechanism, user: known.user.to_owned(), password: known.password.to_owned() }
    }

    fn tls(&self) -> Security {
        Security { tls: true, authorities: Some(self.authorities.clone()), login: None }
    }

    fn by(&self, protocol: &str, security: Security) -> Settings {
        Settings { security, ..on_new_topic(&self.kafka.brokers_by(protocol).unwrap(), 2) }
    }
}

/// Both the bus and the change events: publishing, reading, making the topic.
async fn works(settings: Settings) {
    let bus = KafkaBus::start(&settings).unwrap();
    bus.publish(record(1, 1)).await.unwrap();
    take_different(&bus, 1).await;
    let changes = KafkaChanges::start(&Settings { topic: format!("{}.changes", settings.topic), ..settings }).unwrap();
    changes.publish(change(1, 1)).await.unwrap();
}

async fn is_refused(settings: Settings) {
    let bus = KafkaBus::start(&Settings { acknowledged_within: REFUSED_WITHIN, ..settings }).unwrap();
    assert!(matches!(bus.publish(record(1, 1)).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn brokers_are_reached_over_tls() {
    let secured = secured();
    works(secured.by("SSL", secured.tls())).await;
}

#[tokio::test]
async fn brokers_are_told_who_we_are() {
    let secured = secured();
    for mechanism in MECHANISMS {
        let login = Some(secured.login(mechanism));
        works(secured.by("SASL_PLAINTEXT", Security { login: login.clone(), ..Security::default() })).await;
        works(secured.by("SASL_SSL", Security { login, ..secured.tls() })).await;
    }
}

#[tokio::test]
async fn brokers_that_cannot_prove_who_they_are_get_no_record() {
    let secured = secured();
    let strange = Some(Authority::new().unwrap().pem());
    let foreign = is_refused(secured.by("SSL", Security { authorities: strange.clone(), ..secured.tls() }));
    // Nor does the system know the test's own authority.
    let by_system = is_refused(secured.by("SSL", Security { authorities: None, ..secured.tls() }));
    let named = secured.by("SSL", secured.tls());
    let other_host = is_refused(Settings { brokers: named.brokers.replace("127.0.0.1", "localhost"), ..named });
    let login = Some(secured.login(Mechanism::Plain));
    let before_login = is_refused(secured.by("SASL_SSL", Security { login, authorities: strange, tls: true }));
    // A broker that speaks no TLS is not spoken to in the clear.
    let plain = is_refused(Settings { security: secured.tls(), ..on_new_topic(&shared(), 2) });
    tokio::join!(foreign, by_system, other_host, before_login, plain);
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let secured = secured();
    let wrong = |mechanism| Login { password: "wrong".to_owned(), ..secured.login(mechanism) };
    let refused = MECHANISMS.map(|mechanism| {
        is_refused(secured.by("SASL_PLAINTEXT", Security { login: Some(wrong(mechanism)), ..Security::default() }))
    });
    futures_util::future::join_all(refused).await;
}

#[test]
fn settings_that_no_client_can_be_made_of_are_refused_at_the_start_and_passwords_are_not_shown() {
    let login = Login { mechanism: Mechanism::Plain, user: "anna".to_owned(), password: "hidden".to_owned() };
    let security = Security { tls: true, authorities: Some("no certificate".to_owned()), login: Some(login) };
    assert!(!format!("{security:?}").contains("hidden"));
    let settings = Settings { security, ..Settings::new("127.0.0.1:1", "topic", "group") };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert!(runtime.block_on(async { KafkaBus::start(&settings).is_err() }));
}
