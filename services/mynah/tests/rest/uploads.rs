//! Uploads as real clients send them, as hostile ones do, and what is left of them.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, header};
use mynah_settings::Product;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::files::{MULTIPART, multipart, png, post, upload};
use crate::media::{address, ask, fetch, files, nothing_is_left, put};
use crate::setup::device;
use crate::world::{App, Server};

const LARGEST: usize = 8 << 20;

/// Listens on a port of its own: some things show only on a socket.
async fn listen(server: &Server) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let routes = server.routes.clone();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    at
}

/// An upload that began, and of which more never comes.
async fn stalled(at: std::net::SocketAddr, authorization: &str) -> TcpStream {
    let mut socket = TcpStream::connect(at).await.unwrap();
    let whole = multipart("filename", "a.bin", b"bytes that are not all");
    let head = format!(
        "POST /v1/resource?type=file HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Type: {MULTIPART}\r\nContent-Length: {}\r\n\r\n",
        whole.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&whole[..whole.len() - 30]).await.unwrap();
    socket
}

async fn status(socket: &mut TcpStream) -> u16 {
    let mut line = [0; 12];
    socket.read_exact(&mut line).await.unwrap();
    std::str::from_utf8(&line[9..]).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_real_clients_send_is_taken() {
    let server = Server::start().await;
    let app = server.app().await;
    let bytes = png(3, 4);
    // No space behind `;`, a boundary of equal signs, an empty line before the first boundary and behind the file.
    let java = App { content_type: Some("multipart/form-data;boundary=========7d4a6d158c9"), ..app.clone() };
    let head = "\r\n--========7d4a6d158c9\r\nContent-Disposition: form-data;name=\"image\";filename=\"/home/a/me.PNG\"\r\n\
                Content-Type:image/png\r\n\r\n";
    let body = [head.as_bytes(), &bytes, b"\r\n\r\n--========7d4a6d158c9--\r\n"].concat();
    let answer = java.raw("POST", "/v1/resource?type=image", body).await;
    let found = (answer.status, &answer.body["width"], &answer.body["height"], &answer.body["format"]);
    assert_eq!(found, (200, &json!(3), &json!(4), &json!("png")), "{answer:?}");
    // In pieces of one byte, and of no length that is told.
    let pieces: Vec<_> = multipart("filename", "v.M4A", b"123456789").into_iter().map(|byte| Bytes::from(vec![byte])).collect();
    let answer = post(&app, "voice", Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)))).await;
    let members = json!({
        "media_id": answer.body["media_id"], "media_crc32": 0xCBF4_3926_u32, "fsize": 9, "format": "m4a",
        "hash": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU",
    });
    assert_eq!((answer.status, &answer.body), (200, &members));
    // What the bytes are counts, and not what a name says.
    let answer = post(&app, "image", multipart("filename", "liar.jpg", &png(1, 1))).await;
    assert_eq!((answer.status, &answer.body["format"]), (200, &json!("png")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_only_begins_like_one_is_none() {
    let server = Server::start().await;
    let app = server.app().await;
    let mut other_chunk = png(9, 9);
    other_chunk[12..16].copy_from_slice(b"tEXt");
    let bmp = |header: u32| [b"BM".as_slice(), &[0; 12], &header.to_le_bytes(), &[1; 40]].concat();
    for bytes in [other_chunk, png(1, 1)[..20].to_vec(), bmp(7), b"BMW is a maker of cars and of motor cycles".to_vec()] {
        let answer = post(&app, "image", multipart("filename", "a.png", &bytes)).await;
        assert_eq!((answer.status, answer.code()), (400, Some(899_003)), "{answer:?}");
    }
    nothing_is_left(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bound_is_exact_for_devices_too() {
    let server = Server::start().await;
    let app = server.app().await;
    app.users(&["anna"]).await;
    let mut phone = device(&server, &app, "anna").await;
    let grant = ask(&mut phone, "media.upload_grant", json!({"type": "file", "size": LARGEST})).await;
    let path = grant["reply"]["body"]["url"].as_str().unwrap().to_owned();
    assert_eq!(put(&app, &path, vec![7; LARGEST + 1]).await.0, 400);
    nothing_is_left(&server).await;
    let (status, made) = put(&app, &path, vec![7; LARGEST]).await;
    assert_eq!((status, &made["fsize"]), (200, &json!(LARGEST)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_names_its_file_as_people_do() {
    let server = Server::start().await;
    let app = server.app().await;
    app.users(&["anna"]).await;
    let mut phone = device(&server, &app, "anna").await;
    for (name, kept) in [
        ("my photo (1).txt", "my photo (1).txt"),
        ("фото & 写真 100%.txt", "фото & 写真 100%.txt"),
        ("../../etc/passwd", "passwd"),
        ("a=1&e=9&s=0.txt", "a=1&e=9&s=0.txt"),
    ] {
        let body = json!({"type": "file", "size": 5, "name": name});
        let grant = ask(&mut phone, "media.upload_grant", body).await;
        let path = grant["reply"]["body"]["url"].as_str().unwrap_or_else(|| panic!("{name}: {grant}")).to_owned();
        let (status, made) = put(&app, &path, b"bytes".to_vec()).await;
        assert_eq!((status, &made["fname"]), (200, &json!(kept)), "{name}");
    }
    for name in ["a\u{0}b", "a\nb", &"x".repeat(256)] {
        let body = json!({"type": "file", "size": 5, "name": name});
        assert_eq!(ask(&mut phone, "media.upload_grant", body).await["error"]["code"], 898_003, "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_before_anything_is_read() {
    let server = Server::start().await;
    let at = listen(&server).await;
    // No byte of the body is there, and the answer does not wait for one.
    let mut socket = TcpStream::connect(at).await.unwrap();
    let head = "POST /v1/resource?type=file HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eDp5\r\nContent-Length: 5000000\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(status(&mut socket).await, 401);
    let mut socket = TcpStream::connect(at).await.unwrap();
    let head = "PUT /media/upload?app=1&type=file&size=5&e=9999999999999&s=00 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(status(&mut socket).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_stands_still_is_ended() {
    let server = Server::start_with(|settings| Product { upload_seconds: 1, ..settings }).await;
    let app = server.app().await;
    let mut socket = stalled(listen(&server).await, app.authorization.as_ref().unwrap()).await;
    assert_eq!(status(&mut socket).await, 400);
    nothing_is_left(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_hang_fill_their_places_and_no_more() {
    let server = Server::start().await;
    let app = server.app().await;
    let at = listen(&server).await;
    let mut hanging = Vec::new();
    for _ in 0..64 {
        hanging.push(stalled(at, app.authorization.as_ref().unwrap()).await);
    }
    let small = || post(&app, "file", multipart("filename", "a.bin", b"bytes"));
    let within = Duration::from_secs(30);
    let fill = async {
        loop {
            let answer = small().await;
            if answer.status == 503 {
                return answer;
            }
            // One that came while the small one had the last place was refused itself: another takes its place.
            hanging.push(stalled(at, app.authorization.as_ref().unwrap()).await);
        }
    };
    let full = tokio::time::timeout(within, fill).await.unwrap();
    assert!(full.headers.contains_key(header::RETRY_AFTER), "{full:?}");
    // The rest of the API is not held up.
    app.works("GET", "/v1/users/?start=0&count=1", &Value::Null).await;
    drop(hanging);
    let freed = async {
        while small().await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(within, freed).await.unwrap();
}

/// A file that the directory cannot take note of does not stay either.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_noted_is_not_kept() {
    let server = Server::start().await;
    let app = server.app().await;
    let database = rusqlite::Connection::open(server.folder().join("directory.db")).unwrap();
    database.execute_batch("ALTER TABLE media RENAME TO away").unwrap();
    let answer = post(&app, "file", multipart("filename", "a.bin", b"bytes")).await;
    assert!(answer.status >= 500, "{answer:?}");
    nothing_is_left(&server).await;
    database.execute_batch("ALTER TABLE away RENAME TO media").unwrap();
    upload(&app, "file", "a.bin", b"bytes").await;
    assert_eq!(files(&server), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_alone_and_a_forged_address() {
    let server = Server::start().await;
    let app = server.app().await;
    let id = upload(&app, "image", "a.png", &png(5, 6)).await;
    let path = address(&app, &id).await;
    let request = Request::builder().method("HEAD").uri(&path).body(Body::empty()).unwrap();
    let response = app.way.ask(request).await;
    assert_eq!((response.status().as_u16(), &response.headers()[header::CONTENT_LENGTH]), (200, &"29".parse().unwrap()));
    assert_eq!(axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().len(), 0);
    // Of a file that is there and of one that is nowhere, what is forged is told in the same words.
    let mut answers = Vec::new();
    for forged in [
        path.replace("s=", "s=0"),
        path.replace("e=1", "e=2"),
        format!("/media/{id}"),
        format!("/media/{id}?e=x&s=y"),
        "/media/mynah/image/j/NOTHING?e=9999999999999&s=00".to_owned(),
        "/media/..%2F..%2Fsecret.key?e=9999999999999&s=00".to_owned(),
    ] {
        let (status, _, body) = fetch(&app, &forged, &[]).await;
        assert_eq!(status, 403, "{forged}");
        answers.push(body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}
