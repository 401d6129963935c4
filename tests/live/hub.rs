//! The Hub: a configuration and the header of weights, from a server that behaves and from ones that
//! do not.

use std::cell::RefCell;
use std::time::Duration;

use flopcast::diagnostic::Result;
use flopcast::live::{Hub, Policy, Repository};

use super::SECRET;
use super::server::{Reply, Seen, Server};

const CONFIG: &str = r#"{"model_type": "llama"}"#;

/// Asks with a token in the environment; the second value is the pauses.
fn with<T>(base: &str, ask: impl FnOnce(&Hub<'_>, &Repository) -> Result<T>) -> (Result<T>, usize) {
    let pauses = RefCell::new(0);
    let hub = Hub {
        variable: &|name| match name {
            "FLOPCAST_HUB_BASE" => Some(base.to_owned()),
            "HF_TOKEN" => Some(SECRET.to_owned()),
            _ => None,
        },
        policy: Policy {
            timeout: Duration::from_secs(1),
            retries: 2,
            pause: &|_| *pauses.borrow_mut() += 1,
        },
    };
    let of = Repository::read("owner/name@v1").expect("a name");
    let answer = ask(&hub, &of);
    (answer, pauses.into_inner())
}

fn config(base: &str) -> (Result<Vec<u8>>, usize) {
    with(base, |hub, of| hub.file(of, "config.json"))
}

fn said(seen: &Seen, name: &str) -> Option<String> {
    seen.headers.iter().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// A file of weights with one tensor, cut to the bytes that are asked for.
fn weights(seen: &Seen) -> Reply {
    let json = br#"{"w":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}}"#;
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend(json);
    file.extend([0; 8]);
    let range = said(seen, "range").expect("a range");
    let (from, to) = range.strip_prefix("bytes=").and_then(|it| it.split_once('-')).expect("it");
    let (from, to): (usize, usize) = (from.parse().expect("a place"), to.parse().expect("a place"));
    Reply::Whole(206, "application/octet-stream", Vec::new(), file[from..=to].to_vec())
}

#[test]
fn a_configuration_is_read_with_the_token() {
    let server = Server::new(|_, _| Reply::ok("text/plain; charset=utf-8", CONFIG));
    assert_eq!(config(&server.base).0.expect("it"), CONFIG.as_bytes());
    let seen = server.seen();
    assert_eq!(seen[0].line, "GET /owner/name/resolve/v1/config.json HTTP/1.1");
    assert_eq!(said(&seen[0], "authorization"), Some(format!("Bearer {SECRET}")));
}

#[test]
fn a_header_is_read_by_ranges() {
    let server = Server::new(|seen, _| weights(seen));
    let header = with(&server.base, |hub, of| hub.header(of, "model.safetensors")).0.expect("it");
    let read = flopcast::import::safetensors::read(&header, None).expect("weights");
    assert_eq!(read.model("weights").expect("a model").parameters().total, 4);
    assert_eq!(server.seen().len(), 2);
}

/// Files lie elsewhere; another host does not get the token.
#[test]
fn the_token_stays_with_the_hub() {
    let store = Server::new(|_, _| Reply::ok("application/json", CONFIG));
    let elsewhere = format!("{}/blob?signed=1", store.base);
    let server = Server::new(move |_, number| {
        let to = if number == 0 { "/moved".to_owned() } else { elsewhere.clone() };
        Reply::Whole(302, "text/plain", vec![("location", to)], Vec::new())
    });
    assert_eq!(config(&server.base).0.expect("it"), CONFIG.as_bytes());
    let token = Some(format!("Bearer {SECRET}"));
    assert_eq!(
        server.seen().iter().map(|it| said(it, "authorization")).collect::<Vec<_>>(),
        [token.clone(), token]
    );
    assert_eq!(said(&store.seen()[0], "authorization"), None);
}

/// What a server may do wrong: the message, and whether it is asked again.
#[test]
fn misbehaviour_is_an_error_that_says_so() {
    let page = || Reply::ok("text/html", "<html>sign in</html>");
    let to = |to: &'static str| {
        Reply::Whole(307, "text/plain", vec![("location", to.to_owned())], Vec::new())
    };
    let echo = || {
        let body = format!(r#"{{"error": "no access for {SECRET}"}}"#);
        Reply::Whole(403, "application/json", Vec::new(), body.into_bytes())
    };
    let cases: [(Reply, &str, bool); 10] = [
        (page(), "not a file", false),
        (Reply::status(404, &[]), "404", false),
        (echo(), "HF_TOKEN", false),
        (Reply::status(503, &[]), "503", true),
        (Reply::Cut("application/json", CONFIG.into()), "broke off", true),
        (Reply::Stuck("application/json"), "broke off", true),
        (Reply::Endless("text/plain", b"x"), "too large", false),
        (to("/again"), "30", false),
        (to("ftp://elsewhere/file"), "another protocol", false),
        (to(""), "30", false),
    ];
    for (reply, part, again) in cases {
        let server = Server::new(move |_, _| reply.clone());
        let (answer, pauses) = config(&server.base);
        let error = answer.expect_err(part).to_string();
        assert!(error.contains(part) && !error.contains(SECRET), "{part}: {error}");
        assert_eq!(pauses > 0, again, "{part}: {pauses} pauses");
    }
}

#[test]
fn a_header_that_makes_no_sense_is_refused() {
    let long = |length: u64| {
        move |_: &Seen, _: usize| {
            Reply::Whole(206, "application/octet-stream", Vec::new(), length.to_le_bytes().to_vec())
        }
    };
    for (length, part) in [(u64::MAX, "no header"), (0, "no header"), (900, "cut short")] {
        let server = Server::new(long(length));
        let asked = with(&server.base, |hub, of| hub.header(of, "model.safetensors"));
        let error = asked.0.expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
}
