// The fields of the form: a row each, which says what key of the scenario it edits and how.

import type { Forecast, Lists } from "./forecast.ts";
import type { Option } from "./combobox.ts";
import type { Scenario } from "./scenario.ts";

export interface Field {
  path: string;
  label: string;
  /** Choose from a list, or write what it lacks. */
  options?: (lists: Lists, scenario: Scenario) => Option[];
  /** The ends of a slider and how it moves between them. */
  slider?: { from: number; to: number; even?: boolean; whole?: boolean; snap?: (value: number) => string };
  /** What follows the number where the scenario does not say. */
  unit?: string;
  /** The figure that tells what flopcast takes where nobody says. */
  figure?: string;
  /** The input that tells it likewise. */
  input?: string;
  /** The key that a new value takes the place of as a whole. */
  instead?: string;
  /** It must be there. */
  needed?: boolean;
}

export interface Group {
  title: string;
  /** The section of the scenario that must be there for its fields. */
  section?: string;
  /** The keys that begin the section. */
  begin?: readonly (readonly [path: string, value: string])[];
  /** The keys that go when it is taken out. */
  end?: readonly string[];
  fields: Field[];
}

/** 1, 2, 4, 6, 8, 12, 16 ...: numbers of devices that layouts divide. */
function binary(value: number): string {
  const power = 2 ** Math.floor(Math.log2(value) + 1e-9);
  const steps = power >= 4 ? [1, 1.5, 2] : [1, 2];
  const near = steps.map((step) => step * power).sort((a, b) => Math.abs(a - value) - Math.abs(b - value));
  return String(near[0]);
}

const words = (...values: string[]) => () => values.map((value) => ({ value }));

const devices = (provider: string) => (lists: Lists, scenario: Scenario): Option[] => {
  const seller = scenario.get(provider) || scenario.get("placement.provider");
  const sold = new Set(lists.offers.filter(([by]) => by === seller).map(([, device]) => device));
  const option = ([value, note]: [string, string]) => ({ value, note });
  // What the provider rents out comes first; a scenario may own anything.
  const [first, rest] = [true, false].map((is) => lists.devices.filter(([id]) => sold.has(id) === is));
  return [...first!, ...rest!].map(option);
};

const regions = (provider: string) => (lists: Lists, scenario: Scenario): Option[] => {
  const seller = scenario.get(provider) || "*";
  const of = (by: string) => lists.places.filter(([place]) => place === by);
  const known = of(seller).length ? of(seller) : of("*");
  return known.map(([, value, note]) => ({ value, note }));
};

const providers = (lists: Lists): Option[] => lists.providers.map((value) => ({ value }));
const precisions = (lists: Lists): Option[] => lists.precisions.map((value) => ({ value }));
const purchases = words("on-demand", "spot", "reserved-1y", "reserved-3y", "savings-plan-1y", "savings-plan-3y", "capacity-block", "flex-start");

const WHERE = (at: string): Field[] => [
  { path: `${at}.provider`, label: "Provider", options: providers },
  { path: `${at}.region`, label: "Region or country", options: regions(`${at}.provider`) },
  { path: `${at}.purchase`, label: "Purchase", options: purchases },
];

export const GROUPS: Group[] = [
  {
    title: "Model",
    fields: [
      {
        path: "model", label: "Name or size", needed: true,
        options: (lists) => lists.models.map((value) => ({ value })),
      },
    ],
  },
  {
    title: "Training",
    section: "training",
    begin: [["data.tokens", "1T"], ["training.precision", "bf16"],
      ["training.hardware.accelerator", "h100-sxm"], ["training.hardware.count", "1024"]],
    end: ["training", "data"],
    fields: [
      { path: "data.tokens", label: "Tokens", slider: { from: 1e6, to: 1e14 } },
      { path: "training.hardware.accelerator", label: "Device", options: devices("placement.provider") },
      { path: "training.hardware.count", label: "Devices", slider: { from: 1, to: 65536, snap: binary } },
      {
        path: "training.efficiency.mfu", label: "MFU", slider: { from: 0.02, to: 0.8, even: true },
        figure: "training.mfu", instead: "training.efficiency",
      },
      { path: "training.goodput", label: "Goodput", slider: { from: 0.5, to: 1, even: true }, figure: "training.goodput" },
      { path: "training.sequence_length", label: "Sequence length", slider: { from: 128, to: 1048576, whole: true } },
      { path: "training.precision", label: "Precision", options: precisions },
    ],
  },
  {
    title: "Place",
    fields: [
      ...WHERE("placement"),
      { path: "placement.pue", label: "PUE", slider: { from: 1, to: 2, even: true } },
      { path: "placement.grid", label: "Grid intensity", slider: { from: 0, to: 1000, even: true, whole: true }, unit: " gCO2e/kWh" },
    ],
  },
  {
    title: "Serving",
    section: "inference",
    begin: [["inference.traffic.requests", "1M/day"], ["inference.traffic.input_tokens.mean", "1155"],
      ["inference.traffic.output_tokens.mean", "211"], ["inference.hardware.accelerator", "h100-sxm"],
      ["inference.precision", "fp8"]],
    end: ["inference"],
    fields: [
      { path: "inference.traffic.requests", label: "Requests", slider: { from: 1e3, to: 1e9 }, unit: "/day" },
      { path: "inference.traffic.input_tokens.mean", label: "Tokens of a prompt", slider: { from: 1, to: 100000, whole: true } },
      { path: "inference.traffic.output_tokens.mean", label: "Tokens of an answer", slider: { from: 1, to: 20000, whole: true } },
      { path: "inference.traffic.peak_to_mean", label: "Peak to mean", slider: { from: 1, to: 10, even: true } },
      { path: "inference.traffic.growth", label: "Growth", slider: { from: 0, to: 200, even: true, whole: true }, unit: " %/year" },
      { path: "inference.hardware.accelerator", label: "Device", options: devices("inference.placement.provider") },
      { path: "inference.precision", label: "Precision", options: precisions },
      { path: "inference.slo.ttft.p95", label: "First token, P95", slider: { from: 50, to: 10000, whole: true }, unit: " ms" },
      { path: "inference.slo.tpot.p95", label: "Per token, P95", slider: { from: 5, to: 200, whole: true }, unit: " ms" },
      ...WHERE("inference.placement"),
    ],
  },
  {
    title: "Money",
    fields: [
      { path: "finance.horizon", label: "Horizon", slider: { from: 1, to: 10, even: true, whole: true }, unit: " years" },
      { path: "finance.discount_rate", label: "Discount rate", slider: { from: 0, to: 20, even: true, whole: true }, unit: " %" },
    ],
  },
];

/** What flopcast takes for a field that the scenario leaves open, as far as the forecast tells. */
export function usual(field: Field, forecast: Forecast | null): string {
  if (!forecast || !field.figure) return "";
  for (const { rows } of forecast.sections) {
    const row = rows.find(({ path }) => path === field.figure);
    if (row) return `${row.number} ${row.unit}`.trim();
  }
  return "";
}
