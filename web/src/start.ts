// The start: a short form that writes a scenario, files that are dropped, shipped examples.

import { Combobox, type Option } from "./combobox.ts";
import { byId, h } from "./dom.ts";
import type { Lists } from "./forecast.ts";
import examples from "examples:all";

/** The shipped scenarios that the start shows, and what each is in a few words. */
const SHOWN: [file: string, title: string, note: string][] = [
  ["gpt3-175b", "GPT-3 175B", "pre-training as published, and three years of serving"],
  ["llama-3.1-405b", "Llama 3.1 405B", "pre-training on 16,384 H100 as published"],
  ["llama-3-70b-serving", "Llama 3 70B", "a chat service that keeps its latencies"],
  ["deepseek-v3", "DeepSeek-V3", "a mixture of experts on 2,048 H800"],
  ["lora-llama-3-8b", "LoRA on Llama 3 8B", "adapters on one rented node"],
  ["carbon-london", "A carbon account", "location- and market-based, embodied, water"],
];

export function example(name: string): string {
  return examples.find(([known]) => known === `${name}.yaml`)?.[1] ?? "";
}

/** A plain word of YAML, or one in quotes. */
function scalar(text: string): string {
  const plain = /^[A-Za-z0-9][A-Za-z0-9 ._/-]*$/.test(text) && !/^(true|false|yes|no|on|off|null)$/i.test(text);
  return plain ? text : JSON.stringify(text);
}


export function start(lists: Lists, open: (text: string) => void, choose: (files: FileList) => void): void {
  const values: Record<string, string> = { model: "llama-3-8b", what: "train", amount: "1T", device: "h100-sxm", count: "512" };
  const box = (key: string, label: string, options: () => Option[]) => {
    const id = `start-${key}`;
    const combobox = new Combobox(id, options, (value) => (values[key] = value));
    combobox.value = values[key] ?? "";
    return h("div", { class: "field" }, h("label", { for: id }, label), combobox.element);
  };
  const amountLabel = h("label", { for: "start-amount" }, "Tokens");
  const amount = h("input", { id: "start-amount", type: "text", value: values.amount, autocomplete: "off" });
  const count = h("input", { id: "start-count", type: "text", inputmode: "numeric", value: values.count, autocomplete: "off" });
  const countField = h("div", { class: "field" }, h("label", { for: "start-count" }, "Devices"), count);
  const pick = (what: string, label: string) => h("label", { class: "pick" }, h("input", {
    type: "radio", name: "what", value: what, checked: what === values.what,
    onchange: () => {
      values.what = what;
      amountLabel.textContent = what === "train" ? "Tokens" : "Requests";
      amount.value = what === "train" ? "1T" : "1M/day";
      countField.hidden = what !== "train";
    },
  }), label);
  const chosen = h("input", {
    type: "file", id: "start-file", class: "away", accept: ".json,.onnx,.safetensors,.gguf,.yaml,.yml",
    onchange: () => {
      if (chosen.files) choose(chosen.files);
      chosen.value = "";
    },
  });
  const form = byId<HTMLFormElement>("short");
  form.append(
    h("fieldset", { class: "picks" }, h("legend", {}, "What is it to do?"), pick("train", "Train"), pick("serve", "Serve")),
    box("model", "Model, or its size", () => lists.models.map((value) => ({ value }))),
    h("div", { class: "field" }, amountLabel, amount),
    box("device", "Device", () => lists.devices.map(([value, note]) => ({ value, note }))),
    countField,
    box("provider", "Provider", () => lists.providers.map((value) => ({ value }))),
    box("region", "Region or country", () => {
      const own = lists.places.filter(([by]) => by === values.provider);
      const places = own.length ? own : lists.places.filter(([by]) => by === "*");
      return places.map(([, value, note]) => ({ value, note }));
    }),
    h("div", { class: "go" }, h("button", { type: "submit", class: "primary" }, "Forecast")),
    h("p", { class: "drop quiet" }, chosen,
      h("label", { for: "start-file", class: "link" }, "Choose a file"),
      " or drop it anywhere: a scenario, a config.json of the Hub, an ONNX graph, a safetensors or GGUF file. It stays on this machine."),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    open(written({ ...values, amount: amount.value.trim(), count: count.value.trim() }));
  });
  byId("examples").append(...SHOWN.map(([file, title, note]) => h("li", {},
    h("button", { type: "button", onclick: () => open(example(file)) }, h("strong", {}, title), h("span", {}, note)))));
}

/** The scenario that the short form asks for. */
function written(say: Record<string, string>): string {
  const place = [["provider", say.provider], ["region", say.region]]
    .filter(([, value]) => value)
    .map(([key, value]) => `${key}: ${scalar(value!)}`);
  const placement = place.length ? `placement: {${place.join(", ")}}\n` : "";
  const [model, device, amount] = [say.model, say.device, say.amount].map((text) => scalar(text ?? ""));
  const head = `flopcast: 1\nname: ${scalar(`${say.model}, ${say.what === "train" ? "training" : "serving"}`)}\nmodel: ${model}\n`;
  if (say.what === "serve") {
    return `${head}${placement}inference:
  traffic:
    requests: ${amount}
    input_tokens: {mean: 1155}
    output_tokens: {mean: 211}
  hardware: {accelerator: ${device}}
  precision: bf16
`;
  }
  return `${head}data: {tokens: ${amount}}
training:
  precision: bf16
  hardware: {accelerator: ${device}, count: ${scalar(say.count ?? "")}}
${placement}`;
}
