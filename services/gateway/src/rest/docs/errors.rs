//! Every refusal that the API documents: one row for each status and code.

/// A refusal as the documentation names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Documented {
    pub(crate) status: u16,
    pub(crate) code: u32,
    pub(crate) meaning: &'static str,
}

macro_rules! refusals {
    ($($name:ident $status:literal $code:literal $meaning:literal;)*) => {
        $(pub(super) const $name: Documented = Documented { status: $status, code: $code, meaning: $meaning };)*
        /// All of them, by status and code as they stand here.
        pub(crate) const ALL: &[Documented] = &[$($name),*];
    };
}

refusals! {
    NO_CREDENTIALS   401 899_007 "The request has no credentials.";
    BAD_CREDENTIALS  401 899_008 "The credentials are not HTTP Basic, or the masterSecret is wrong.";
    NO_APP           401 899_009 "No app has this appKey, or it is disabled.";
    INVALID          400 899_003 "A value in path, query, header or body is missing, malformed or out of range; the message names it.";
    NO_MEDIA         404 899_003 "No file has this media_id.";
    NO_PATH          404 899_003 "The path is no endpoint of this API.";
    NO_METHOD        405 899_003 "The path is an endpoint with other methods only.";
    NO_USER          404 899_002 "The user in the path is not there.";
    NO_NAMED_USER    400 899_002 "A user that the body names is not there; the message names who.";
    USER_EXISTS      403 899_001 "The username is taken, by a user or by an admin.";
    NO_GROUP         403 899_006 "The group is not there.";
    MEMBER_ALREADY   400 899_011 "A user to be added is a member of the group already.";
    GROUP_FULL       400 899_012 "The group, or the chatroom, would have more members than it may.";
    TOO_MANY_USERS   400 899_013 "More than 500 users in one registration; none was made.";
    NO_MEMBER        400 899_014 "A named user is no member of the group. Where a call adds and removes, what it added stays added.";
    TOO_MANY_GROUPS  400 899_015 "A user would be in more groups than he may.";
    NO_ADMIN         403 899_016 "The sender is no admin, or is disabled.";
    BLACKLISTED_ALREADY 400 899_017 "A named user is in the blacklist already.";
    BLACKLISTS_ADMIN 403 899_018 "An admin cannot be put into a blacklist.";
    NOT_BLACKLISTED  400 899_019 "A named user is not in the blacklist.";
    NO_GRANT         403 899_020 "The other app granted this one nothing, or there is no such app.";
    DND_ON           400 899_043 "Do-not-disturb is on for a named user already.";
    DND_OFF          400 899_044 "Do-not-disturb is not on for a named user.";
    NOT_IN_GROUP     400 899_046 "The user is not in a group that the body names.";
    GROUP_DND_ON     400 899_047 "Do-not-disturb is on for a named group already.";
    ALL_DND_ON       400 899_048 "Do-not-disturb is on for everything already.";
    GROUP_DND_OFF    400 899_049 "Do-not-disturb is not on for a named group.";
    NO_NAMED_GROUP   400 899_051 "A group that the body names is not there.";
    SHIELD_ON        400 899_052 "A named group is shielded already.";
    SHIELD_OFF       400 899_053 "A named group is not shielded.";
    FRIENDS_ALREADY  400 899_070 "A named user is a friend already.";
    NO_FRIENDS       400 899_071 "A named user is no friend.";
    NO_ROOM          404 899_081 "The chatroom is not there.";
    NOT_IN_ROOM      400 899_082 "A named user is not in the chatroom.";
    SENDER_NO_MEMBER 400 803_005 "The sender is not in the group.";
    BLOCKED          403 803_008 "The receiver has the sender in his blacklist.";
    BAD_WORD         400 803_009 "The text holds a sensitive word; the message ends with it.";
    SILENCED         403 803_012 "The sender is silenced in the group.";
    SENDER_NOT_IN_ROOM 403 847_001 "The sender is not in the chatroom.";
    MUTED            403 847_002 "The sender is muted in the chatroom.";
    RETRACT_LATE     400 855_001 "The message is older than three minutes.";
    RETRACT_FOREIGN  403 855_002 "The user in the path did not send the message.";
    RETRACT_NOTHING  404 855_003 "There is no such message, or none that can be retracted.";
    RETRACTED        400 855_004 "The message was retracted before.";
    RATE_LIMITED     429 800_017 "Too many requests of the app, or messages of the sender. Wait as long as Retry-After says.";
    INTERNAL         500 899_000 "A fault of the server. Its log tells more.";
    UNAVAILABLE      503 899_030 "The server has too much to do, or a part of it does not answer in time. Try again after Retry-After.";
}

/// What every endpoint may answer.
pub(super) const COMMON: &[Documented] = &[INVALID, NO_CREDENTIALS, BAD_CREDENTIALS, NO_APP, RATE_LIMITED, INTERNAL, UNAVAILABLE];

/// What is answered where there is no endpoint.
pub(super) const NOWHERE: &[Documented] = &[NO_PATH, NO_METHOD];
