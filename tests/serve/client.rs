//! A server of a test's own, and the least of an HTTP client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::common::root;

/// A server on a free port of loopback, which ends with the test.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The error of a refusal.
    pub(crate) fn error(&self) -> Value {
        let error = self.json()["error"].clone();
        assert!(error["kind"].is_string() && error["message"].is_string(), "{error}");
        assert!(error["hints"].is_array(), "{error}");
        error
    }
}

impl Server {
    /// A server with these arguments and variables beside the usual ones.
    pub(crate) fn with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flopcast"))
            .args(["serve", "--bind", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(root())
            .env_remove("FLOPCAST_DATA")
            .env_remove("FLOPCAST_TOKEN")
            .env("FLOPCAST_CACHE", root().join("target/no-cache"))
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut said = String::new();
        let mut errors = BufReader::new(child.stderr.take().expect("stderr"));
        errors.read_line(&mut said).expect("a line");
        let address = said.trim().strip_prefix("serving http://");
        let address = address.unwrap_or_else(|| panic!("{said}")).to_owned();
        // What it says later has to go somewhere.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        Self { child, address }
    }

    pub(crate) fn new() -> Self {
        Self::with(&[], &[])
    }

    /// An open connection on which a request was written.
    pub(crate) fn written(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(300))).expect("a timeout");
        // A server that refuses early need not read all of it.
        let _ = stream.write_all(request);
        stream
    }

    /// The answer to a request as it stands.
    pub(crate) fn raw(&self, request: &[u8]) -> Answer {
        answer(self.written(request))
    }

    /// The answer to a request with these headers, each with its line's end.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.raw(&self.request(method, path, headers, body))
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, JSON, body.to_string().as_bytes())
    }
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// Reads an answer to the end of its connection.
pub(crate) fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A server that refuses early may reset the connection after its answer.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
