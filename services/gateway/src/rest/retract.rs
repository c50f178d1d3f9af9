//! Taking a message back. Refusals come in this order: no such message, not the sender, done before, too late.

use mynah_proto::Failure;
use mynah_proto::device::{Entry, Retraction, entry};
use mynah_proto::directory::{GetUserRequest, GetUsersRequest};
use mynah_proto::router::{LocateRequest, RetractRequest};
use mynah_types::{ConversationKey, Reason};
use prost::Message as _;

use super::call::{Answer, Call, Outcome};
use super::messages::party;

pub(crate) async fn retract(call: Call) -> Outcome {
    let username = call.username()?;
    let msg_id = call.number(1, "msgid")?;
    let app_id = call.app.app_id;
    let user = call.directory().get_user(GetUserRequest { app_id, username, uid: 0 }).await?;
    let found = call.router().locate(LocateRequest { msg_id }).await?;
    let unknown = || Failure::new(Reason::RetractNotFound, "request message not exist");
    if !matches!(found.conv_id.parse(), Ok(ConversationKey::Single(..) | ConversationKey::Group(_))) {
        return Err(unknown().into());
    }
    if found.sender_uid != user.uid {
        // Another app's message is as good as none.
        let request = GetUsersRequest { app_id, uids: vec![found.sender_uid], ..Default::default() };
        let of_this_app = !call.directory().get_users(request).await?.users.is_empty();
        let not_his = Failure::new(Reason::RetractNotSender, "request user is not message sender");
        return Err(if of_this_app { not_his } else { unknown() }.into());
    }
    let payload = Entry {
        from: Some(party(&user, String::new(), if user.admin { "admin" } else { "user" })),
        kind: Some(entry::Kind::Retract(Retraction { msg_id, seq: found.seq })),
        ..Entry::default()
    };
    let request = RetractRequest {
        conv_id: found.conv_id,
        actor_uid: user.uid,
        msg_id,
        payload: payload.encode_to_vec().into(),
        origin_conn: 0,
        privileged: true,
    };
    call.router().retract(request).await?;
    Answer::done()
}
