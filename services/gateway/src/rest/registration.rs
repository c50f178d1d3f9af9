//! Whether devices may register users themselves.

use mynah_proto::directory::SetRegistrationRequest;
use serde_json::json;

use super::call::{Answer, Call, Outcome};

pub(crate) async fn get(call: Call) -> Outcome {
    Answer::ok(json!({"status": u8::from(call.app.device_registration)}))
}

/// The status stands in the query, or, as one client writes it, in the body.
pub(crate) async fn set(call: Call) -> Outcome {
    let open = call.status()?;
    call.directory().set_registration(SetRegistrationRequest { app_id: call.app.app_id, open }).await?;
    Answer::done()
}
