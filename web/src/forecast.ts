// A forecast as the engine's `view` says it.

export interface Tile {
  path: string;
  name: string;
  number: string;
  unit: string;
  note: string | null;
}

export interface Row {
  path: string;
  label: string;
  part: boolean;
  number: string;
  unit: string;
  value: number | null;
  range: string | null;
}

export interface Section {
  title: string;
  rows: Row[];
  facts: [label: string, text: string][];
}

export interface Grid {
  columns: [heading: string, numeric: boolean][];
  rows: string[][];
}

export interface Step {
  name: string;
  shown: string;
  how: string;
  again?: boolean;
  steps: Step[];
}

export interface Layout {
  value: string;
  tried: string;
}

export interface Forecast {
  name: string;
  answer: string;
  sentence: string | null;
  dates: [what: string, date: string][];
  stands: boolean;
  tiles: Tile[];
  sections: Section[];
  pictures: { title: string; below: string; svg: string }[];
  warnings: string[];
  /** Null where a move of a slider left them out. */
  tables: { title: string; grid: Grid }[] | null;
  derivations: Record<string, Step>;
  notes: string[];
  /** True where a simulation will make it another one. */
  open: boolean;
  /** The layout that was searched for: a move takes it over. */
  layout: Layout | null;
}

export interface Lists {
  version: string;
  models: string[];
  devices: [id: string, name: string][];
  providers: string[];
  places: [provider: string, code: string, location: string][];
  offers: [provider: string, device: string][];
  precisions: string[];
}
