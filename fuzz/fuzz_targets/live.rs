//! Any answer to a refresh. The first line names the source; the rest is what its server answers to
//! whatever it is asked.
#![no_main]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use flopcast::live::{Policy, Refresh, Store, feed};
use flopcast_fuzz::CATALOG;
use libfuzzer_sys::{Corpus, fuzz_target};

static BODY: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The address of a server that answers with [`BODY`].
static BASE: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(&stream);
        }
    });
    base
});

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut posted) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let length = line.to_lowercase().strip_prefix("content-length:").map(str::to_owned);
        posted = length.and_then(|it| it.trim().parse().ok()).unwrap_or(posted);
        line.clear();
    }
    io::copy(&mut reader.take(posted), &mut io::sink())?;
    let body = BODY.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Corpus::Reject };
    let Ok(Ok(feed)) = std::str::from_utf8(&input[..end]).map(feed) else { return Corpus::Reject };
    *BODY.lock().unwrap_or_else(PoisonError::into_inner) = input[end + 1..].to_vec();
    let base = BASE.as_str();
    let refresh = Refresh {
        catalog: &CATALOG,
        store: &Store::new("/nowhere"),
        regions: &["eastus", "us-east-1", "DE", "CAISO_NORTH"].map(str::to_owned),
        variable: &|name| Some(if name.ends_with("_BASE") { base } else { "user:key" }.to_owned()),
        now: "2026-11-23T12:00:00Z".parse().expect("a time"),
        policy: Policy { timeout: Duration::from_secs(2), retries: 0, pause: &|_| {} },
    };
    let _ = refresh.ask(feed, &|_| {});
    Corpus::Keep
});
