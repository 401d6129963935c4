//! The questions as tools of agents, by the Model Context Protocol: over standard streams, and below
//! `/mcp` of a server.

use std::future::Future;
use std::sync::Arc;

use axum::http::StatusCode;
use flopcast_api::{Answer, questions};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::render::Format;
use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    InitializeResult, JsonObject, ListToolsResult, PaginatedRequestParams, ResourceContents,
    ServerCapabilities, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;

use crate::ask::Asker;
use crate::refusal::Refusal;
use crate::{Limits, Surroundings, http, openapi};

/// What an agent is told of flopcast as a whole.
const INSTRUCTIONS: &str = "flopcast forecasts what training and serving an AI model take: days, \
     devices, money, energy, carbon, water. A scenario is YAML (`model`, `data`, `training`, `inference`, \
     `placement`); an error names the key that is wrong and what to write instead. `catalog` lists devices, \
     prices and regions; `explain` derives any figure of `estimate`.";

/// The tools.
#[derive(Clone)]
pub(crate) struct Tools {
    asker: Arc<Asker>,
    all: Arc<Vec<Tool>>,
}

impl Tools {
    fn new(asker: Arc<Asker>) -> Self {
        let mut generator = openapi::generator();
        let tool = |question: &flopcast_api::Question| {
            let schema = question.request(&mut generator).to_value();
            let schema: JsonObject = schema.as_object().cloned().unwrap_or_default();
            // A tool reads the catalog and computes: nothing is changed, nobody is asked.
            let pure = ToolAnnotations::new().read_only(true).idempotent(true).open_world(false);
            Tool::new(question.name, question.says, Arc::new(schema)).with_annotations(pure)
        };
        Self { all: Arc::new(questions().iter().map(tool).collect()), asker }
    }

    async fn call(&self, request: CallToolRequestParams) -> Result<CallToolResult, ErrorData> {
        let named = questions().iter().find(|question| question.name == request.name);
        let question = named.ok_or_else(|| {
            ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None)
        })?;
        let arguments = Value::Object(request.arguments.unwrap_or_default()).to_string();
        if arguments.len() > self.asker.limits.body {
            let message = format!("the request is larger than {} bytes", self.asker.limits.body);
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Ok(refused(&Refusal::new(status, "limit", &message, "send less")));
        }
        let limits = self.asker.limits;
        let most = if question.long { limits.job } else { limits.time };
        let answer = self.asker.ask(question, arguments, Arc::default(), most).await;
        Ok(answer.as_ref().map_or_else(refused, answered))
    }
}

/// An answer as a tool gives it: its text, or a workbook as a resource, with notes after it.
fn answered(answer: &Answer) -> CallToolResult {
    let mut content = vec![match answer.format {
        Format::Xlsx => {
            let workbook = ResourceContents::blob(base64(&answer.bytes), "flopcast:report.xlsx");
            ContentBlock::resource(workbook.with_mime_type(http::media(answer.format)))
        }
        _ => ContentBlock::text(String::from_utf8_lossy(&answer.bytes)),
    }];
    content.extend(answer.notes.iter().map(ContentBlock::text));
    CallToolResult::success(content)
}

/// A refusal as a tool gives it: kind, message, path, place and hints as JSON.
fn refused(refusal: &Refusal) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(refusal.json().to_string())])
}

impl ServerHandler for Tools {
    fn get_info(&self) -> InitializeResult {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let mut info = InitializeResult::new(capabilities);
        info.server_info = Implementation::new("flopcast", env!("CARGO_PKG_VERSION"));
        info.instructions = Some(INSTRUCTIONS.to_owned());
        info
    }

    fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<ListToolsResult, ErrorData>> + Send + '_ {
        std::future::ready(Ok(ListToolsResult::with_all_items(self.all.to_vec())))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.all.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(request).await.map(CallToolResponse::from)
    }
}

/// The tools below a path of a server: each request stands alone, its answer is JSON. Hosts, origins and
/// the token are looked at before.
pub(crate) fn service(asker: Arc<Asker>) -> StreamableHttpService<Tools, NeverSessionManager> {
    let most = asker.limits.body;
    let tools = Tools::new(asker);
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(most)
        .disable_allowed_hosts()
        .disable_allowed_origins();
    StreamableHttpService::new(move || Ok(tools.clone()), Arc::default(), config)
}

/// Serves the tools over standard streams until their end.
///
/// # Errors
/// The other side does not speak the protocol.
pub fn serve(surroundings: Surroundings) -> Result<()> {
    let runtime = http::runtime()?;
    let asker = Asker::new(surroundings, Limits::default());
    let served = runtime.block_on(async {
        let failed = |error: &dyn std::fmt::Display| Error::input(format!("no agent: {error}"));
        let tools = Tools::new(Arc::clone(&asker));
        let running = tools.serve(rmcp::transport::stdio()).await;
        let running = running.map_err(|error| failed(&error))?;
        running.waiting().await.map(|_| ()).map_err(|error| failed(&error))
    });
    asker.stop();
    // A read of standard input cannot be ended.
    runtime.shutdown_background();
    served
}

/// Bytes in base64 (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks(3).flat_map(|chunk| {
        let at = |place: usize| u32::from(chunk.get(place).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let digit =
            move |place: usize| char::from(DIGITS[(bits >> (18 - 6 * place)) as usize & 63]);
        let known = chunk.len() + 1;
        (0..4).map(move |place| if place < known { digit(place) } else { '=' })
    });
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in cases {
            assert_eq!(base64(bytes.as_bytes()), text, "{bytes}");
        }
    }
}
