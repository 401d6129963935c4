//! An agent over standard streams, and over HTTP.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::client::Server;
use crate::common::{holds, root, stdout};

/// An agent's side of `flopcast mcp`.
struct Agent {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    count: u64,
}

impl Agent {
    fn new() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flopcast"))
            .arg("mcp")
            .current_dir(root())
            .env_remove("FLOPCAST_DATA")
            .env("FLOPCAST_CACHE", root().join("target/no-cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let (input, output) = (child.stdin.take().expect("stdin"), child.stdout.take());
        let output = BufReader::new(output.expect("stdout"));
        let mut agent = Self { child, input, output, count: 0 };
        let client = json!({"name": "test", "version": "1"});
        let hello =
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        let info = agent.call("initialize", &hello);
        assert_eq!(info["result"]["serverInfo"]["name"], "flopcast", "{info}");
        agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        agent
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").and_then(|()| self.input.flush()).expect("it reads");
    }

    /// The answer to a request.
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.count += 1;
        let id = self.count;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}));
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("a line") > 0, "it left");
            let message: Value = serde_json::from_str(&line).expect("JSON");
            if message["id"] == id {
                return message;
            }
        }
    }

    /// Whether a tool fails, and its text.
    fn tool(&mut self, name: &str, arguments: &Value) -> (bool, String) {
        let answer = self.call("tools/call", &json!({"name": name, "arguments": arguments}));
        let result = &answer["result"];
        let text = result["content"][0]["text"].as_str();
        let text = text.unwrap_or_else(|| panic!("{name}: {answer}")).to_owned();
        (result["isError"] == true, text)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_question_is_a_tool() {
    let mut agent = Agent::new();
    let listed = agent.call("tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().expect("tools");
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    let wanted = ["estimate", "explain", "model", "capacity", "optimize", "compare", "catalog"];
    assert!(wanted.iter().all(|name| names.contains(name)), "{names:?}");
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert!(tool["description"].as_str().is_some_and(|says| says.len() > 20), "{tool}");
    }
}

#[test]
fn a_tool_answers_as_the_command_does() {
    let mut agent = Agent::new();
    let file = "scenarios/gpt3-175b.yaml";
    let printed = stdout(&["estimate", file, "--format", "json"]);
    let (failed, said) = agent.tool("estimate", &json!({"scenario": file}));
    assert!(!failed, "{said}");
    assert!(said == printed, "another answer than the command's:\n{said}");
    let (failed, said) = agent.tool("model", &json!({"models": ["7B"]}));
    assert!(!failed && said == stdout(&["model", "7B", "--format", "json"]), "{said}");
}

#[test]
fn a_tool_refuses_with_path_and_hint() {
    let mut agent = Agent::new();
    let scenario = "model: 7B\ndata: {tokens: 1T}\ntraining: {hardware: {cuont: 8}}\n";
    let (failed, said) = agent.tool("estimate", &json!({"scenario": scenario}));
    assert!(failed, "{said}");
    holds("the refusal", &said, &["\"path\":\"training.", "did you mean", "\"hints\""]);
    let (failed, said) = agent.tool("estimate", &json!({"scenario": "/etc/hosts.yaml"}));
    assert!(failed, "{said}");
    holds("the refusal", &said, &["outside the project"]);
    let unknown = agent.call("tools/call", &json!({"name": "shell", "arguments": {}}));
    assert!(unknown["error"].is_object(), "{unknown}");
}

#[test]
fn the_same_tools_are_there_over_http() {
    let server = Server::new();
    let headers = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
                   MCP-Protocol-Version: 2025-06-18\r\n";
    let call = |method: &str, parameters: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
        let answer = server.ask("POST", "/mcp", headers, body.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    };
    let listed = call("tools/list", json!({}));
    assert!(
        listed["result"]["tools"].as_array().is_some_and(|tools| tools.len() >= 10),
        "{listed}"
    );
    let answer = call("tools/call", json!({"name": "model", "arguments": {"models": ["7B"]}}));
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    let arguments = json!({"scenario": "scenarios/gpt3-175b.yaml"});
    let refused = call("tools/call", json!({"name": "estimate", "arguments": arguments}));
    assert_eq!(refused["result"]["isError"], true, "over HTTP no file is opened: {refused}");
}
