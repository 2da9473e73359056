import type { Timeframe } from "./types";

/** What the page shows, as its address after the # says it. */
export type View = { symbol: string; exchange: string; timeframe: Timeframe; panes: string[] };

/** Read the part of an address after its #; what it does not say is the default. */
export function read(hash: string): View {
  const fields = new URLSearchParams(hash.slice(1));
  return {
    symbol: fields.get("symbol") ?? "BTC-USDT",
    exchange: fields.get("exchange") ?? "composite",
    timeframe: (fields.get("timeframe") as Timeframe | null) ?? "1m",
    panes: fields.get("panes")?.split(",").filter(Boolean) ?? ["ema", "rsi", "macd"],
  };
}

/** Write a view so that `read` gives it back. */
export function write({ symbol, exchange, timeframe, panes }: View): string {
  return `#${new URLSearchParams({ symbol, exchange, timeframe, panes: panes.join(",") })}`;
}
