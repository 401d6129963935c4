"""Lists and calls every tool of flopcast by the MCP client of PyPI: over standard streams and over HTTP."""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

RUN = (
    "name: a run\nmodel: 7B\ndata: {tokens: 1T}\ntraining:\n  precision: bf16\n"
    "  hardware: {accelerator: h100-sxm, count: 256}\n  efficiency: {mfu: 40%}\n"
    "placement: {provider: aws, region: us-east-2}\n"
)
SERVICE = (
    "name: a service\nmodel: 7B\ninference:\n"
    "  traffic: {requests: 2/s, input_tokens: {mean: 500}, output_tokens: {mean: 100}}\n"
    "  hardware: {accelerator: h100-sxm}\n  precision: bf16\n  slo: {ttft: {p95: 1 s}}\n"
    "placement: {provider: aws, region: us-east-2}\n"
)
CALLS = {
    "estimate": {"scenario": RUN},
    "explain": {"scenario": RUN, "figure": "training.device_hours"},
    "model": {"models": ["7B"]},
    "capacity": {"scenario": SERVICE, "requests": 1000},
    "sweep": {"scenario": RUN, "vary": ["training.hardware.count=128,256"]},
    "optimize": {"scenario": RUN, "devices": 16, "accelerator": ["h100-sxm"]},
    "compare": {"before": RUN, "after": RUN, "set": ["training.hardware.count=512"]},
    "check": {"scenario": RUN, "policy": {"limits": [{"figure": "cost", "max": "5M USD"}]}},
    "report": {"scenario": RUN, "format": "markdown"},
    "catalog": {"list": "accelerators", "words": ["h100"]},
}


async def drive(read, write):
    async with ClientSession(read, write) as session:
        await session.initialize()
        tools = {tool.name for tool in (await session.list_tools()).tools}
        assert tools == set(CALLS), tools ^ set(CALLS)
        for name, arguments in CALLS.items():
            result = await session.call_tool(name, arguments)
            text = result.content[0].text
            assert not failed(result), (name, text)
            assert name == "report" or json.loads(text), name
        wrong = await session.call_tool("estimate", {"scenario": RUN.replace("count", "cuont")})
        error = json.loads(wrong.content[0].text)["error"]
        assert failed(wrong) and error["path"] == "training.hardware.cuont" and error["hints"], error


def failed(result):
    return getattr(result, "is_error", None) or getattr(result, "isError", False)


async def main(binary, address):
    async with stdio_client(StdioServerParameters(command=binary, args=["mcp"])) as (read, write):
        await drive(read, write)
    async with streamable_http_client(address) as streams:
        await drive(streams[0], streams[1])


asyncio.run(main(*sys.argv[1:]))
print(f"{2 * (len(CALLS) + 1)} calls by two transports")
