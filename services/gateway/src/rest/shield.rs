//! Groups whose messages a user does not get at all.

use mynah_proto::directory::ChangeShieldRequest;

use super::call::{Answer, Call, Outcome};
use super::lenient::Fields;
use super::nodisturb::gids;
use super::refusal::Refusal;

pub(crate) async fn change(call: Call) -> Outcome {
    let username = call.username()?;
    let body = call.json()?;
    let fields = Fields::of("body", &body)?;
    let (add, remove) = (gids("add", fields.get("add"))?, gids("remove", fields.get("remove"))?);
    if add.is_empty() && remove.is_empty() {
        return Err(Refusal::invalid("add", "or remove must name at least one group"));
    }
    call.directory().change_shield(ChangeShieldRequest { app_id: call.app.app_id, username, add, remove }).await?;
    Answer::done()
}
