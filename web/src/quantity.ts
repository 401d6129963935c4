// Quantities as a scenario writes them: a number, perhaps K, M, B or T, and a unit.

const FACTORS: Record<string, number> = { "": 1, K: 1e3, k: 1e3, M: 1e6, B: 1e9, T: 1e12 };

export interface Quantity {
  value: number;
  /** What follows the number, with the space before it: ` tokens`, `/day`, ` %`. */
  unit: string;
}

/** Reads `300B`, `4_194_304 tokens`, `2M/day`, `8 %`; null for ranges and whatever else. */
export function read(text: string): Quantity | null {
  const found = /^\s*([+-]?[\d_]+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([KkMBT](?![A-Za-z]))?(.*)$/.exec(text);
  if (!found || found[3]!.includes("..")) return null;
  const value = Number(found[1]!.replaceAll("_", "")) * FACTORS[found[2] ?? ""]!;
  return Number.isFinite(value) ? { value, unit: found[3]!.trimEnd() } : null;
}

/** Three digits that mean something, in short: `300B`, `1.45T`, `0.412`, `16400`. */
export function short(value: number): string {
  const rounded = Number(value.toPrecision(3));
  for (const [letter, factor] of [["T", 1e12], ["B", 1e9], ["M", 1e6]] as const) {
    if (Math.abs(rounded) >= factor) return `${Number((rounded / factor).toPrecision(3))}${letter}`;
  }
  return String(rounded);
}

/** How a figure differs from another one, in words. */
export function change(before: number | null, after: number | null): string {
  if (before === null || after === null) return "";
  if (before === after || before === 0) return "";
  const percent = 100 * (after / before - 1);
  if (after / before >= 10) return `× ${short(after / before)}`;
  const digits = Math.abs(percent) < 10 ? 1 : 0;
  return `${percent > 0 ? "+" : "−"}${Math.abs(percent).toFixed(digits)} %`;
}
