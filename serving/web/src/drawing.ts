import type { SeriesMarker, Time, UTCTimestamp } from "lightweight-charts";
import { type Candle, type Indicators, type Signal, seconds } from "./types";

// What the chart is told, apart from the chart itself.
const STRONG = 0.35; // a signal at least this strong, either way, gets an arrow

export type Colours = { up: string; down: string };

/** Times of the first and last row that a chart shows; zeros before the first. */
export type Extent = { first: number; last: number };

const at = (microseconds: number) => seconds(microseconds) as UTCTimestamp;

export const bar = (candle: Candle) => ({
  time: at(candle.opened_at),
  open: +candle.open,
  high: +candle.high,
  low: +candle.low,
  close: +candle.close,
});

export const volume = (candle: Candle, { up, down }: Colours) => ({
  time: at(candle.opened_at),
  value: +candle.volume,
  color: `${+candle.close >= +candle.open ? up : down}55`,
});

/** An indicator's value, or a gap in its line while it has none. */
export function point(row: Indicators, column: string): { time: UTCTimestamp; value?: number } {
  const value = row.values[column];
  return value === null || value === undefined ? { time: at(row.opened_at) } : { time: at(row.opened_at), value };
}

/** Arrows for the strong signals: up from below the candle to buy, down from above it to sell. */
export function markers(signals: Signal[], { up, down }: Colours): SeriesMarker<Time>[] {
  return signals
    .filter((signal) => Math.abs(signal.score) >= STRONG)
    .map((signal) => ({
      time: at(signal.opened_at),
      position: signal.score > 0 ? "belowBar" : "aboveBar",
      shape: signal.score > 0 ? "arrowUp" : "arrowDown",
      color: signal.score > 0 ? up : down,
      text: signal.score.toFixed(2),
    }));
}

export const extent = (rows: { opened_at: number }[]): Extent => ({
  first: rows[0]?.opened_at ?? 0,
  last: rows.at(-1)?.opened_at ?? 0,
});

/**
 * Rows that a chart lacks: those from its last row on, which may have changed while it formed.
 * Null where the rows begin elsewhere: a chart cannot put rows before its first, all are set anew.
 */
export function missing<R extends { opened_at: number }>(rows: R[], drawn: Extent): R[] | null {
  return drawn.first === extent(rows).first ? rows.filter((row) => row.opened_at >= drawn.last) : null;
}
