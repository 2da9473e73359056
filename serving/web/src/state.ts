import { computed, effect, signal } from "@preact/signals";
import { read, write } from "./address";
import { follow, upsert } from "./rows";
import { connection } from "./socket";
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

const start = read(location.hash);

export const symbols = signal<SymbolRow[]>([]);
export const symbol = signal(start.symbol);
export const exchange = signal(start.exchange);
export const timeframe = signal<Timeframe>(start.timeframe);
export const panes = signal<string[]>(start.panes);
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

effect(() => {
  const name = series.value;
  candles.value = [];
  indicators.value = [];
  signals.value = [];
  const query = `timeframe=${timeframe.value}&exchange=${exchange.value}`;
  load(`/api/candles/${symbol.value}?${query}&limit=500`, candles, name);
  load(`/api/indicators/${symbol.value}?${query}&limit=240`, indicators, name);
  load(`/api/signals/latest?symbol=${symbol.value}&${query}`, signals, name);
  const stops = [
    connection.subscribe(`ohlcv.${name}`, follow(candles)),
    connection.subscribe(`indicators.${name}`, follow(indicators)),
    connection.subscribe(`signals.${name}`, follow(signals)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
});

effect(() => {
  const view = { symbol: symbol.value, exchange: exchange.value, timeframe: timeframe.value, panes: panes.value };
  history.replaceState(null, "", write(view));
});

/** Fill a series with its history; rows that came live meanwhile are newer, and an answer for another series is late. */
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
