//! What the cases call the shape of an answer.

use serde_json::{Value, json};

use crate::world::Answer;

/// Whether an object has these members, and no member that is null.
fn object(value: &Value, members: &[&str]) -> bool {
    value.as_object().is_some_and(|o| members.iter().all(|m| o.contains_key(*m)) && o.values().all(|v| !v.is_null()))
}

fn list(value: &Value, of: impl Fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(of))
}

fn page(value: &Value, total: u64, start: u64, name: &str, rows: usize) -> bool {
    value["total"] == total
        && value["start"] == start
        && value["count"] == rows
        && value[name].as_array().is_some_and(|items| items.len() == rows && items.iter().all(Value::is_object))
}

fn error(value: &Value) -> bool {
    value["error"]["code"].is_u64() && value["error"]["message"].as_str().is_some_and(|m| !m.is_empty())
}

fn user(value: &Value) -> bool {
    object(value, &["username", "ctime", "mtime", "appkey"]) && value.get("password").is_none()
}

fn group(value: &Value) -> bool {
    object(value, &["gid", "name", "appkey", "MaxMemberCount", "mtime", "ctime"]) && value["gid"].is_u64()
}

fn room(value: &Value) -> bool {
    object(value, &["id", "owner_username", "max_member_count", "appkey", "name", "description", "total_member_count", "ctime"])
}

fn made_group(value: &Value) -> bool {
    group(value) && value["owner_username"].is_string() && value["members_username"].is_array() && value["MaxMemberCount"] == 500
}

/// A page of history with something in it, in the order of time.
fn history(body: &Value) -> bool {
    let message = |m: &Value| {
        object(m, &["target_type", "target_id", "msg_type", "msg_body", "from_id", "from_type", "from_appkey", "from_platform"])
            && m["msgid"].is_u64()
            && m["version"] == 1
            && m["create_time"].as_u64().zip(m["msg_ctime"].as_u64()).is_some_and(|(s, ms)| s == ms / 1000 && s > 1_700_000_000)
    };
    let times = |m: &Value| m["msg_ctime"].as_u64();
    body["total"].is_u64()
        && body["messages"].as_array().is_some_and(|m| body["count"] == m.len() && m.is_sorted_by_key(times))
        && list(&body["messages"], message)
}

/// Whether an answer has the shape; a shape that is not known fails its case.
pub fn has(shape: &str, answer: &Answer) -> bool {
    let body = &answer.body;
    let registered = |item: &Value| item["username"].is_string() && item.get("password").is_none();
    match shape {
        "empty" => answer.bytes.is_empty(),
        "error object" => error(body),
        "error object naming the word" => error(body),
        "[{username,error}]" | "[{username,error{code,message}}] array" => list(body, |item| registered(item) && error(item)),
        "[{username}]" => list(body, registered),
        "[{username:'dev_fang'}]" => *body == json!([{"username": "dev_fang"}]),
        "[{username,...}] no password" => {
            list(body, |item| registered(item) && item["nickname"].is_string() && item["birthday"] == "1990-01-24")
        }
        "[{username},{username,error{code:899001}}]" => {
            body.as_array().is_some_and(|a| a.len() == 2) && body[0].get("error").is_none() && body[1]["error"]["code"] == 899_001
        }
        "array of 500" => body.as_array().is_some_and(|a| a.len() == 500) && list(body, |item| item.get("error").is_none()),
        "user object" | "{username,mtime,ctime,[appkey]} no nulls" => user(body),
        "birthday='1990-01-24 00:00:00'" => body["birthday"] == "1990-01-24 00:00:00",
        "[user object]" => list(body, user),
        "[{username,...,note_name,others,appkey}]" => {
            list(body, |item| user(item) && item["note_name"] == "n" && item["others"] == "o")
        }
        "{total,start,count,users[]}" => {
            body["users"].is_array() && body["total"].is_u64() && body["start"].is_u64() && body["count"].is_u64()
        }
        "{total:2,start:0,count:2,users[2]}" => page(body, 2, 0, "users", 2),
        "{total:3,start:1,count:2,users[2]}" => page(body, 3, 1, "users", 2) && body["users"][0]["username"] == "u1002",
        "{total:3,start:10,count:0,users:[]}" => page(body, 3, 10, "users", 0),
        "[]" => *body == json!([]),
        "{status:1}" => *body == json!({"status": 1}),
        "{status:0}" => *body == json!({"status": 0}),
        "users[].flag=1 for u1002" => {
            body["users"].as_array().is_some_and(|users| users.iter().any(|u| u["username"] == "u1002" && u["flag"] == 1))
        }
        "{login:false,online:false}" => *body == json!({"login": false, "online": false}),
        "[{username,devices:[]}x2]" => {
            *body == json!([{"username": "u1001", "devices": []}, {"username": "u1002", "devices": []}])
        }
        "[{username,devices:[{login:true,online:true,platform:'a'}]}]" => {
            *body == json!([{"username": "u1001", "devices": [{"login": true, "online": true, "platform": "a"}]}])
        }
        "{msg_id:int,msg_ctime:int ms}" => {
            body["msg_id"].as_u64().is_some_and(|id| id < 1 << 53)
                && body["msg_ctime"].as_u64().is_some_and(|t| t > 1_700_000_000_000)
        }
        "{gid:int,owner_username:string,name,members_username[],desc,MaxMemberCount:500}" => {
            made_group(body) && body["desc"] == "运动"
        }
        "{gid,...}" => made_group(body),
        "{gid,name,desc,appkey,MaxMemberCount,mtime,ctime}" => group(body),
        "[{username,...,flag:1},{username,...,flag:0}]" => list(body, user) && body[0]["flag"] == 1 && body[1]["flag"] == 0,
        "[group object]" => list(body, group),
        "{total:2,start:0,count:1,groups[1]}" => page(body, 2, 0, "groups", 1) && group(&body["groups"][0]),
        "{chatroom_id:int}" => body["chatroom_id"].as_u64().is_some_and(|id| id >= 1000),
        "[room]" | "[1 room]" | "[{id,owner_username,max_member_count,appkey,name,description,total_member_count,ctime}]" => {
            list(body, room) && body.as_array().is_some_and(|rooms| rooms.len() == 1)
        }
        "{total:1,rooms[1],start:0,count:1}" => page(body, 1, 0, "rooms", 1) && room(&body["rooms"][0]),
        "{total:2,users:[{username,flag,room_ctime,mtime,ctime}],count:2,start:0}" => {
            page(body, 2, 0, "users", 2)
                && list(&body["users"], |u| object(u, &["username", "flag", "room_ctime", "mtime", "ctime"]))
        }
        other => has_of_extensions(other, body),
    }
}

/// Shapes of words, users across apps, states that may be missing.
fn has_of_extensions(shape: &str, body: &Value) -> bool {
    match shape {
        "{total,cursor?,count,messages[]} ascending; msgid, create_time s, msg_ctime ms" => history(body),
        "{total,start,count,messages[]}" => history(body) && body["start"] == 0,
        "[{date,active_users,total_users,send_msg_users,new_users}x3]" => {
            let members = ["date", "active_users", "total_users", "send_msg_users", "new_users"];
            body.as_array().is_some_and(|days| days.len() == 3) && list(body, |day| object(day, &members))
        }
        "[{date,active_group,total_group,new_group}]" => {
            list(body, |day| object(day, &["date", "active_group", "total_group", "new_group"]))
        }
        "{send_msg_stat[],group_msg_stat{},single_msg_stat{}}" => {
            let sorts = ["txt_msg", "image_msg", "voice_msg", "other_msg"];
            list(&body["send_msg_stat"], |slot| object(slot, &["time", "group_send_msg", "single_send_msg"]))
                && object(&body["group_msg_stat"], &sorts)
                && object(&body["single_msg_stat"], &sorts)
        }
        "{media_id,media_crc32,width:1,height:1,format:'png',fsize}" => {
            object(body, &["media_id", "media_crc32", "hash"])
                && (&body["width"], &body["height"], &body["format"]) == (&json!(1), &json!(1), &json!("png"))
                && body["fsize"].is_u64()
        }
        "{media_id,...}" => body["media_id"].as_str().is_some_and(|id| id.contains("/j/")),
        "{media_id,media_crc32,fname,fsize,hash}" => {
            object(body, &["media_id", "media_crc32", "fsize", "hash"]) && body["fname"] == "a.dmp"
        }
        "{media_id,media_crc32,hash,format,fsize}" => {
            object(body, &["media_id", "media_crc32", "fsize", "hash"]) && body["format"] == "m4a"
        }
        "{url:'http...'} url serves the same bytes without credentials" => {
            body["url"].as_str().is_some_and(|url| url.starts_with("http://") && url.contains("/media/"))
        }
        "[{username,devices,statuscode:0}]" => {
            list(body, |item| item["username"] == "u1001" && item["devices"].is_array() && item["statuscode"] == 0)
        }
        "[{username,devices,statuscode:0},{username,devices:[],statuscode:1,statusmsg:'no_exist'}]" => {
            body[0] == json!({"username": "u1001", "devices": [], "statuscode": 0})
                && body[1] == json!({"username": "nobody99", "devices": [], "statuscode": 1, "statusmsg": "no_exist"})
        }
        "[{username,...,flag,appkey}]" => {
            body.as_array().is_some_and(|a| a.len() == 2)
                && list(body, user)
                && body[1]["username"] == "x2001"
                && body[1]["flag"] == 0
        }
        "[{username,...,appkey}]" => list(body, user) && body[0]["username"] == "x2001" && body[0]["appkey"].is_string(),
        "[{gid,name,desc,appkey,max_member_count,mtime,ctime}]" => {
            list(body, |item| object(item, &["gid", "name", "appkey", "max_member_count", "mtime", "ctime"]))
        }
        "{start:2,count:1,words:[{name,itime}],total:3}" => {
            page(body, 3, 2, "words", 1) && list(&body["words"], |word| object(word, &["name", "itime"]))
        }
        other => panic!("no such shape: {other}"),
    }
}
