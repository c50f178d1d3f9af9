//! How the users of a change are packed: big endian, 8 bytes a uid, and a byte more where a role goes with it.

use mynah_types::{Role, Uid};

/// In the packed role of a change: the member is silenced.
const SILENCED: u8 = 0x80;

pub(crate) fn role_number(role: Role) -> u8 {
    match role {
        Role::Member => 0,
        Role::Keeper => 1,
        Role::Owner => 2,
    }
}

pub(crate) fn role(number: u8) -> Role {
    match number {
        2 => Role::Owner,
        1 => Role::Keeper,
        _ => Role::Member,
    }
}

pub(crate) fn pack(uids: &[Uid]) -> Vec<u8> {
    uids.iter().flat_map(|uid| uid.0.to_be_bytes()).collect()
}

pub(crate) fn unpack(bytes: &[u8]) -> Vec<Uid> {
    bytes.as_chunks::<8>().0.iter().map(|uid| Uid(u64::from_be_bytes(*uid))).collect()
}

pub(crate) fn pack_roles(members: &[(Uid, Role)]) -> Vec<u8> {
    members.iter().flat_map(|(uid, role)| uid.0.to_be_bytes().into_iter().chain([role_number(*role)])).collect()
}

pub(crate) fn unpack_roles(bytes: &[u8]) -> Vec<(Uid, Role)> {
    let one = |[uid @ .., number]: &[u8; 9]| (Uid(u64::from_be_bytes(*uid)), role(*number));
    bytes.as_chunks::<9>().0.iter().map(one).collect()
}

/// As roles are packed, with the highest bit of the role's byte for silence.
pub(crate) fn pack_members(members: &[(Uid, Role, bool)]) -> Vec<u8> {
    let byte = |role: Role, silenced: bool| role_number(role) | if silenced { SILENCED } else { 0 };
    members.iter().flat_map(|(uid, role, silenced)| uid.0.to_be_bytes().into_iter().chain([byte(*role, *silenced)])).collect()
}

pub(crate) fn unpack_members(bytes: &[u8]) -> Vec<(Uid, Role, bool)> {
    let one = |[uid @ .., byte]: &[u8; 9]| (Uid(u64::from_be_bytes(*uid)), role(byte & !SILENCED), byte & SILENCED != 0);
    bytes.as_chunks::<9>().0.iter().map(one).collect()
}
