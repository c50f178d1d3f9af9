//! What was released stays readable: two versions of the binaries run beside one another while a deployment is upgraded, and devices are
//! older than their server for years. `released/` holds the schemas of each release, as descriptors.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, MethodDescriptorProto};

const RELEASED: &[(&str, &[u8])] = &[("0.1.0", include_bytes!("../released/0.1.0.bin"))];
const PRESENT: &[u8] = include_bytes!("../src/gen/descriptors.bin");

/// A schema by the full names of what it has.
#[derive(Default)]
struct Schema {
    messages: BTreeMap<String, DescriptorProto>,
    enums: BTreeMap<String, EnumDescriptorProto>,
    methods: BTreeMap<String, MethodDescriptorProto>,
}

impl Schema {
    fn read(bytes: &[u8]) -> Self {
        let mut schema = Self::default();
        for file in FileDescriptorSet::decode(bytes).unwrap().file {
            let package = file.package().to_owned();
            for message in file.message_type {
                schema.add(&package, message);
            }
            for described in file.enum_type {
                schema.enums.insert(format!("{package}.{}", described.name()), described);
            }
            for service in file.service {
                for method in &service.method {
                    schema.methods.insert(format!("{package}.{}/{}", service.name(), method.name()), method.clone());
                }
            }
        }
        schema
    }

    fn add(&mut self, within: &str, message: DescriptorProto) {
        let name = format!("{within}.{}", message.name());
        for nested in message.nested_type.clone() {
            self.add(&name, nested);
        }
        for described in message.enum_type.clone() {
            self.enums.insert(format!("{name}.{}", described.name()), described);
        }
        self.messages.insert(name, message);
    }
}

/// What an old peer would misunderstand.
fn broken(old: &Schema, new: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for (name, was) in &old.messages {
        match new.messages.get(name) {
            None => found.push(format!("{name} is gone")),
            Some(is) => found.extend(was.field.iter().filter_map(|field| broken_field(name, field, is))),
        }
    }
    for (name, was) in &old.enums {
        let is = new.enums.get(name);
        for value in &was.value {
            let kept = is.is_some_and(|is| is.value.iter().any(|v| v.number == value.number && v.name == value.name));
            found.extend((!kept).then(|| format!("{name}.{} is gone", value.name())));
        }
    }
    for (name, was) in &old.methods {
        let same = |is: &MethodDescriptorProto| {
            let of = |m: &MethodDescriptorProto| {
                (m.input_type.clone(), m.output_type.clone(), m.client_streaming(), m.server_streaming())
            };
            of(is) == of(was)
        };
        found.extend((!new.methods.get(name).is_some_and(same)).then(|| format!("{name} is gone or another")));
    }
    found
}

fn broken_field(message: &str, was: &FieldDescriptorProto, now: &DescriptorProto) -> Option<String> {
    let shown = format!("{message}.{} = {}", was.name(), was.number());
    let Some(is) = now.field.iter().find(|field| field.number == was.number) else {
        let number = was.number();
        let reserved = now.reserved_range.iter().any(|range| (range.start()..range.end()).contains(&number));
        return (!reserved).then(|| format!("{shown} is gone, and its number is not reserved"));
    };
    // The name is the JSON codec's.
    let is_same = is.name == was.name && is.r#type == was.r#type && is.type_name == was.type_name;
    let is_list = |field: &FieldDescriptorProto| field.label() == Label::Repeated;
    (!is_same || is_list(is) != is_list(was)).then(|| format!("{shown} has become {} of another kind", is.name()))
}

#[test]
fn every_release_is_understood() {
    let present = Schema::read(PRESENT);
    for (version, bytes) in RELEASED {
        assert_eq!(broken(&Schema::read(bytes), &present), Vec::<String>::new(), "since {version}");
    }
}

/// The check finds what it is there for.
#[test]
fn what_would_break_a_peer_is_found() {
    type Change = fn(&mut Schema);
    let changes: [(&str, Change); 7] = [
        ("is gone", |s| _ = s.messages.remove("mynah.device.v1.Send")),
        ("is gone, and its number", |s| s.messages.get_mut("mynah.device.v1.Send").unwrap().field.truncate(1)),
        ("of another kind", |s| s.messages.get_mut("mynah.device.v1.Send").unwrap().field[0].name = Some("other".into())),
        ("of another kind", |s| s.messages.get_mut("mynah.router.v1.LogEntry").unwrap().field[0].r#type = Some(1)),
        ("of another kind", |s| {
            let field = &mut s.messages.get_mut("mynah.gateway.v1.DeliverRequest").unwrap().field[0];
            field.set_label(Label::Optional);
        }),
        ("gone or another", |s| {
            let method = s.methods.get_mut("mynah.router.v1.Router/Send").unwrap();
            method.output_type = Some(".mynah.common.v1.Failure".into());
        }),
        ("gone or another", |s| _ = s.methods.pop_first()),
    ];
    for (told, change) in changes {
        let mut changed = Schema::read(PRESENT);
        change(&mut changed);
        let found = broken(&Schema::read(PRESENT), &changed);
        assert!(found.first().is_some_and(|first| first.contains(told)), "{told}: {found:?}");
    }
}
