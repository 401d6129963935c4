//! A server on the loopback that says what a test wants, well or badly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// An answer, or what stands for one.
#[derive(Clone)]
pub enum Reply {
    /// Status, content type, further headers, body.
    Whole(u16, &'static str, Vec<(&'static str, String)>, Vec<u8>),
    /// The connection ends in the middle of the body.
    Cut(&'static str, Vec<u8>),
    /// The body stops coming, but the connection stays.
    Stuck(&'static str),
    /// An answer with this status of which a byte comes now and then, without end.
    Dripping(u16),
    /// A gigabyte of these bytes, over and over.
    Endless(&'static str, &'static [u8]),
}

impl Reply {
    pub fn ok(kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, kind, Vec::new(), body.into())
    }

    pub fn status(status: u16, headers: &[(&'static str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let body = br#"{"error": {"message": "come back later"}}"#.to_vec();
        Self::Whole(status, "application/json", headers, body)
    }
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub line: String,
    pub headers: Vec<String>,
    pub body: String,
}

pub struct Server {
    pub base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Serves `answer(request, its number from 0)` until the test ends.
    pub fn new(answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let number = {
                        let mut log = log.lock().expect("the log");
                        log.push(request.clone());
                        log.len() - 1
                    };
                    // A client that hangs up is what some tests want.
                    let _ = write(&stream, &answer(&request, number));
                });
            }
        });
        Self { base, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the log").clone()
    }
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let length = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let line = lines.first()?.clone();
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Seen { line, headers: lines.split_off(1), body })
}

fn write(mut stream: &TcpStream, reply: &Reply) -> std::io::Result<()> {
    let head = |status: u16, kind: &str, length: usize| {
        format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
             connection: close\r\n"
        )
    };
    match reply {
        Reply::Whole(status, kind, headers, body) => {
            let mut text = head(*status, kind, body.len());
            for (name, value) in headers {
                text.extend([name, ": ", value, "\r\n"]);
            }
            stream.write_all(format!("{text}\r\n").as_bytes())?;
            stream.write_all(body)
        }
        Reply::Cut(kind, body) => {
            stream.write_all(format!("{}\r\n", head(200, kind, body.len())).as_bytes())?;
            stream.write_all(&body[..body.len() / 2])
        }
        Reply::Stuck(kind) => {
            stream.write_all(format!("{}\r\n", head(200, kind, 100)).as_bytes())?;
            stream.flush()?;
            thread::sleep(Duration::from_secs(5));
            Ok(())
        }
        Reply::Dripping(status) => {
            let head = head(*status, "text/plain; json", 1 << 20);
            stream.write_all(format!("{head}\r\n").as_bytes())?;
            loop {
                stream.write_all(b" ")?;
                stream.flush()?;
                thread::sleep(Duration::from_millis(20));
            }
        }
        Reply::Endless(kind, piece) => {
            let length = 1 << 30;
            stream.write_all(format!("{}\r\n", head(200, kind, length)).as_bytes())?;
            let block = piece.repeat((1 << 16) / piece.len());
            for _ in 0..length / block.len() {
                stream.write_all(&block)?;
            }
            Ok(())
        }
    }
}
