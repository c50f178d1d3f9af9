//! The bus on a real broker: the suite of the port, how workers share and hand over partitions, and brokers that hang or die.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod changes;
mod metrics;
mod outages;
mod security;
mod support;
mod workers;

mod contract {
    use mynah_kafka::KafkaBus;

    use crate::support;

    fn fresh() -> KafkaBus {
        KafkaBus::start(&support::on_new_topic(&support::shared(), 4)).unwrap()
    }

    mynah_ports::bus_contract!(fresh);
}
