import { computed, effect, signal } from "@preact/signals";
import { subscribe, type Update } from "./socket";
import type { Candle, Indicators, Signal, Timeframe } from "./types";

// What is shown, as signals; the components only read it. One series is open at a time.
export type SymbolRow = {
  symbol: string;
  exchanges: string[];
  last_price: string | null;
  change_24h: number | null;
  sparkline: number[];
  signal: { score: number; timeframe: string } | null;
};

const KEPT = 1000;
const start = new URLSearchParams(location.hash.slice(1));

export const symbols = signal<SymbolRow[]>([]);
export const symbol = signal(start.get("symbol") ?? "BTC-USDT");
export const exchange = signal(start.get("exchange") ?? "composite");
export const timeframe = signal<Timeframe>((start.get("timeframe") as Timeframe | null) ?? "1m");
export const panes = signal<string[]>(start.get("panes")?.split(",").filter(Boolean) ?? ["ema", "rsi", "macd"]);
export const candles = signal<Candle[]>([]);
export const indicators = signal<Indicators[]>([]);
export const signals = signal<Signal[]>([]);
export const problem = signal<string | null>(null);
export const series = computed(() => `${exchange.value}:${symbol.value}.${timeframe.value}`);

async function get<T>(path: string): Promise<T> {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail ?? body.title ?? answer.statusText);
  return body as T;
}

export async function refreshSymbols(): Promise<void> {
  try {
    symbols.value = (await get<{ items: SymbolRow[] }>("/api/symbols")).items;
    problem.value = null;
  } catch (error) {
    problem.value = `The list of symbols could not be read: ${(error as Error).message}`;
  }
}

/** Put a row where its time belongs: replace the same candle or append, never reorder. */
export function upsert<Row extends { opened_at: number }>(rows: Row[], row: Row): Row[] {
  const last = rows[rows.length - 1];
  if (!last || row.opened_at > last.opened_at) return [...rows, row].slice(-KEPT);
  const index = rows.findLastIndex((candidate) => candidate.opened_at <= row.opened_at);
  if (index < 0) return rows;
  if (rows[index]?.opened_at !== row.opened_at) return rows.toSpliced(index + 1, 0, row);
  return rows.with(index, row);
}

/** Apply a snapshot (many rows, and the forming one) or one update. */
export function follow<Row extends { opened_at: number }>(target: { value: Row[] }) {
  return (update: Update): void => {
    const rows = update.kind === "snapshot" ? (update.data as Row[]) : [update.data as Row];
    target.value = rows.reduce(upsert, target.value);
  };
}

effect(() => {
  const [name, one, of] = [series.value, symbol.value, exchange.value];
  candles.value = [];
  indicators.value = [];
  signals.value = [];
  const query = `timeframe=${timeframe.value}&exchange=${of}`;
  load(`/api/candles/${one}?${query}&limit=500`, candles, name);
  load(`/api/indicators/${one}?${query}&limit=240`, indicators, name);
  load(`/api/signals/latest?symbol=${one}&${query}`, signals, name);
  const stops = [
    subscribe(`ohlcv.${name}`, follow(candles)),
    subscribe(`indicators.${name}`, follow(indicators)),
    subscribe(`signals.${name}`, follow(signals)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
});

effect(() => {
  const address = new URLSearchParams({
    symbol: symbol.value,
    exchange: exchange.value,
    timeframe: timeframe.value,
    panes: panes.value.join(","),
  });
  history.replaceState(null, "", `#${address}`);
});

async function load<Row extends { opened_at: number }>(
  path: string,
  target: { value: Row[] },
  name: string,
): Promise<void> {
  try {
    const { items } = await get<{ items: Row[] }>(path);
    if (series.value === name) target.value = target.value.reduce(upsert, items);
    problem.value = null;
  } catch (error) {
    problem.value = (error as Error).message;
  }
}
