//! Whether devices may register users themselves.

use mynah_proto::directory::{AppByKeyRequest, SetRegistrationRequest};
use serde_json::json;

use super::call::{Answer, Call, Outcome};

pub(crate) async fn get(call: Call) -> Outcome {
    // Whoever has just switched it reads what he switched, whichever process answers.
    let request = AppByKeyRequest { appkey: call.app.appkey.clone(), now: true };
    let app = call.directory().app_by_key(request).await?;
    Answer::ok(json!({"status": u8::from(app.device_registration)}))
}

/// The status stands in the query, or, as one client writes it, in the body.
pub(crate) async fn set(call: Call) -> Outcome {
    let open = call.status()?;
    call.directory().set_registration(SetRegistrationRequest { app_id: call.app.app_id, open }).await?;
    Answer::done()
}
