//! Uploads and downloads, over a real socket where the bytes' way matters.

use axum::body::Body;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use http::{Request, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::files::{MULTIPART, multipart, png, post, upload};
use crate::flows::{Phone, heard};
use crate::setup::device;
use crate::world::{App, Server, each_way};

each_way!(
    a_file_is_fetched_by_its_address_until_it_is_too_old,
    another_apps_file_is_not_there,
    a_device_uploads_what_it_was_granted_and_nothing_else,
);

pub async fn address(app: &App, id: &str) -> String {
    let url = app.works("GET", &format!("/v1/resource?mediaId={id}"), &Value::Null).await["url"].as_str().unwrap().to_owned();
    url.strip_prefix("http://localhost").unwrap_or(&url).to_owned()
}

/// Without credentials, as a browser does.
pub async fn fetch(app: &App, path: &str, headers: &[(header::HeaderName, &str)]) -> (u16, http::HeaderMap, Vec<u8>) {
    let request = headers.iter().fold(Request::builder().uri(path), |request, (name, value)| request.header(name, *value));
    let response = app.way.ask(request.body(Body::empty()).unwrap()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
}

async fn a_file_is_fetched_by_its_address_until_it_is_too_old(server: Server) {
    let app = server.app().await;
    let bytes = [png(7, 8), (0..100_000_u32).flat_map(u32::to_le_bytes).collect()].concat();
    let answer = post(&app, "image", multipart("image", "C:\\pictures\\me.PNG", &bytes)).await;
    assert_eq!(
        (&answer.body["width"], &answer.body["height"], &answer.body["fsize"]),
        (&json!(7), &json!(8), &json!(bytes.len()))
    );
    let id = answer.body["media_id"].as_str().unwrap();
    assert!(id.starts_with("mynah/image/j/") && id.ends_with(".png"), "{id}");
    let path = address(&app, id).await;
    // The id comes raw or escaped.
    assert_eq!(address(&app, &id.replace('/', "%2F")).await.split('?').next(), path.split('?').next());
    let (status, headers, whole) = fetch(&app, &path, &[]).await;
    assert_eq!((status, &headers[header::CONTENT_TYPE], whole == bytes), (200, &"image/png".parse().unwrap(), true));
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let (status, headers, part) = fetch(&app, &path, &[(header::RANGE, "bytes=33-43")]).await;
    assert_eq!((status, part.as_slice()), (206, &bytes[33..44]));
    assert_eq!(headers[header::CONTENT_RANGE], format!("bytes 33-43/{}", bytes.len()));
    assert_eq!(fetch(&app, &path, &[(header::RANGE, "bytes=999999999-")]).await.0, 416);
    let etag = headers[header::ETAG].to_str().unwrap().to_owned();
    let (status, _, nothing) = fetch(&app, &path, &[(header::IF_NONE_MATCH, &etag)]).await;
    assert_eq!((status, nothing.len()), (304, 0));
    // Another file under this signature, a changed signature, a later end: all the same.
    let other = upload(&app, "file", "a.txt", b"other").await;
    for forged in [
        path.replace(id, &other),
        path.replace("s=", "s=0"),
        path.replace("e=1", "e=2"),
        format!("/media/{id}"),
        "/media/../../secret.key?e=9&s=0".into(),
        "/media/mynah/image/j/NOTHING?e=9999999999999&s=00".into(),
    ] {
        let (status, _, body) = fetch(&app, &forged, &[]).await;
        assert!(status == 403 || status == 404, "{forged}: {status}");
        assert!(!body.windows(5).any(|window| window == b"other"), "{forged}");
    }
    server.clock.advance(60 * 60 * 1000 - 1);
    assert_eq!(fetch(&app, &path, &[]).await.0, 200);
    server.clock.advance(1);
    assert_eq!(fetch(&app, &path, &[]).await.0, 403);
    // What is no picture is a download, whatever it says that it is.
    let page = upload(&app, "file", "ü.html", b"<script>alert(1)</script>").await;
    let (_, headers, _) = fetch(&app, &address(&app, &page).await, &[]).await;
    assert_eq!(headers[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(headers[header::CONTENT_DISPOSITION], "attachment; filename*=UTF-8''%C3%BC%2Ehtml");
    assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("sandbox"));
}

async fn another_apps_file_is_not_there(server: Server) {
    let (app, other) = (server.app().await, server.app().await);
    let id = upload(&app, "file", "a.txt", b"mine").await;
    let there = other.call("GET", &format!("/v1/resource?mediaId={id}"), &Value::Null).await;
    let nowhere = other.call("GET", "/v1/resource?mediaId=mynah/file/j/NOTHING.txt", &Value::Null).await;
    assert_eq!((there.status, there.code(), &there.bytes), (404, Some(899_003), &nowhere.bytes));
}

pub async fn ask(phone: &mut Phone, method: &str, body: Value) -> Value {
    let call = json!({"id": 9, "call": {"method": method, "body": body}});
    phone.send(Message::text(call.to_string())).await.unwrap();
    loop {
        let message = phone.next().await.unwrap().unwrap();
        let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if frame["id"] == 9 {
            return frame;
        }
    }
}

pub async fn put(app: &App, path: &str, bytes: Vec<u8>) -> (u16, Value) {
    let request = Request::builder().method("PUT").uri(path).body(Body::from(bytes)).unwrap();
    let response = app.way.ask(request).await;
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn a_device_uploads_what_it_was_granted_and_nothing_else(server: Server) {
    let app = server.app().await;
    app.users(&["anna", "tommy"]).await;
    let mut phone = device(&server, &app, "anna").await;
    let picture = png(4, 5);
    let crc32 = crc32fast::hash(&picture);
    let grant = ask(&mut phone, "media.upload_grant", json!({"type": "image", "size": picture.len(), "crc32": crc32})).await;
    let path = grant["reply"]["body"]["url"].as_str().unwrap().to_owned();
    let mut wrong = picture.clone();
    wrong[28] ^= 1;
    for (path, bytes, status) in [
        (path.clone(), wrong, 400),
        (path.clone(), [picture.as_slice(), b"x"].concat(), 400),
        (path.clone(), picture[..20].to_vec(), 400),
        (path.replace("type=image", "type=file"), picture.clone(), 403),
        (path.replace("size=", "size=9"), picture.clone(), 403),
        (path.replace("app=", "app=9"), picture.clone(), 403),
    ] {
        assert_eq!(put(&app, &path, bytes).await.0, status, "{path}");
    }
    let (status, made) = put(&app, &path, picture.clone()).await;
    assert_eq!((status, &made["width"], &made["media_crc32"]), (200, &json!(4), &json!(crc32)));
    let body = json!({"media_id": made["media_id"]});
    let url = ask(&mut phone, "media.url", body).await["reply"]["body"]["url"].as_str().unwrap().to_owned();
    assert_eq!(fetch(&app, &url, &[]).await.2, picture);
    for bad in [
        json!({"type": "movie", "size": 5}),
        json!({"type": "file", "size": 0}),
        json!({"type": "file", "size": (8 << 20) + 1}),
        json!({}),
    ] {
        assert_eq!(ask(&mut phone, "media.upload_grant", bad).await["error"]["code"], 898_003);
    }
    assert!(ask(&mut phone, "media.url", json!({"media_id": "mynah/file/j/NOTHING"})).await["error"]["code"].is_u64());
    server.clock.advance(60 * 60 * 1000);
    assert_eq!(put(&app, &path, picture).await.0, 403);
    // A push in between is no answer: the connection goes on as before.
    app.works("PUT", "/v1/users/anna", &json!({"nickname": "A"})).await;
    heard(&mut phone, "deliver").await;
}

pub fn files(server: &Server) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }
    count(&server.folder().join("media"))
}

/// A file that is given up goes by itself, a moment after the answer.
pub async fn nothing_is_left(server: &Server) {
    let began = std::time::Instant::now();
    while files(server) > 0 {
        assert!(began.elapsed().as_secs() < 10, "{} files are left", files(server));
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_upload_is_refused_by_name_and_leaves_nothing() {
    let server = Server::start().await;
    let app = server.app().await;
    let whole = multipart("filename", "a.bin", b"bytes");
    let no_name = b"--XboundaryX\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nbytes\r\n--XboundaryX--\r\n".to_vec();
    for (kind, body, field) in [
        ("movie", whole.clone(), "type"),
        ("", whole.clone(), "type"),
        ("file", Vec::new(), "body"),
        ("file", b"hello".to_vec(), "body"),
        ("file", whole[..whole.len() - 20].to_vec(), "body"),
        ("file", no_name, "file"),
        ("file", multipart("filename", "a.bin", b""), "file"),
        ("image", multipart("filename", "a.png", b"<svg/>"), "file"),
    ] {
        let answer = post(&app, kind, body).await;
        assert_eq!((answer.status, answer.code()), (400, Some(899_003)), "{answer:?}");
        assert!(answer.body["error"]["message"].as_str().unwrap().contains(&format!(" {field} ")), "{answer:?}");
    }
    // One client sends JSON here.
    let answer = app.raw("POST", "/v1/resource?type=file", "{}").await;
    assert_eq!((answer.status, answer.code()), (400, Some(899_003)));
    nothing_is_left(&server).await;
    // The second of two files is not looked at; what stands before the first is passed over.
    let before = b"--XboundaryX\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nimage\r\n".to_vec();
    let two = [before, multipart("a", "../../etc/passwd", b"first")].concat();
    let two = [&two[..two.len() - 4], b"\r\n", &multipart("b", "b.txt", b"second")].concat();
    let answer = post(&app, "file", two).await;
    assert_eq!((answer.status, &answer.body["fname"], &answer.body["fsize"]), (200, &json!("passwd"), &json!(5)));
    assert_eq!(answer.body["media_crc32"], crc32fast::hash(b"first"));
    assert_eq!(files(&server), 1);
}

/// Whatever length is told, or none: no more is read than may be, and the rest of the line is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_not_read_to_its_end() {
    let server = Server::start().await;
    let app = server.app().await;
    let head = b"--XboundaryX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\n";
    let endless =
        stream::iter(std::iter::once(Bytes::from_static(head)).chain(std::iter::repeat(Bytes::from(vec![7; 64 << 10]))));
    let answer = post(&app, "file", Body::from_stream(endless.map(Ok::<_, std::io::Error>))).await;
    assert_eq!((answer.status, answer.code()), (400, Some(899_003)));
    // Cut in the middle: the client is gone, and so is what it sent.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let routes = server.routes.clone();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let mut socket = tokio::net::TcpStream::connect(at).await.unwrap();
    let request = format!(
        "POST /v1/resource?type=file HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: {MULTIPART}\r\nContent-Length: 5000000000\r\n\r\n",
        app.authorization.as_ref().unwrap()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket.write_all(head).await.unwrap();
    socket.write_all(&vec![7; 600_000]).await.unwrap();
    while files(&server) == 0 {
        tokio::task::yield_now().await;
    }
    drop(socket);
    nothing_is_left(&server).await;
    // Too long by its own word, and told so while it is still coming.
    let mut socket = tokio::net::TcpStream::connect(at).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    socket.write_all(head).await.unwrap();
    let (mut reading, mut writing) = socket.into_split();
    let writer = tokio::spawn(async move { while writing.write_all(&[7; 64 << 10]).await.is_ok() {} });
    let mut answer = [0; 12];
    reading.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
    writer.abort();
    nothing_is_left(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_app_sent_is_seen_where_the_two_may_write_to_one_another() {
    let server = Server::start().await;
    let (app, other) = (server.app().await, server.app().await);
    other.users(&["anna"]).await;
    let id = upload(&app, "image", "a.png", &png(1, 1)).await;
    let mut phone = device(&server, &other, "anna").await;
    let body = json!({"media_id": id});
    let stranger = ask(&mut phone, "media.url", body.clone()).await;
    let nothing = ask(&mut phone, "media.url", json!({"media_id": "mynah/image/j/NOTHING"})).await;
    assert_eq!(stranger["error"], nothing["error"]);
    server.operator.set_grant(&app.appkey, &other.appkey, true).await.unwrap();
    let url = ask(&mut phone, "media.url", body.clone()).await["reply"]["body"]["url"].as_str().unwrap().to_owned();
    assert_eq!(fetch(&app, &url, &[]).await.2, png(1, 1));
    server.operator.set_grant(&app.appkey, &other.appkey, false).await.unwrap();
    assert_eq!(ask(&mut phone, "media.url", body).await["error"], nothing["error"]);
}
