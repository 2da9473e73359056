import { describe, expect, test } from "vitest";
import { bar, extent, markers, missing, point, volume } from "../src/drawing";
import { outline } from "../src/sparkline";
import type { Candle, Signal } from "../src/types";

const colours = { up: "#00ff00", down: "#ff0000" };
const candle = (changes: Partial<Candle> = {}): Candle => ({
  opened_at: 1_676_246_400_000_000,
  open: "21800.10",
  high: "21850",
  low: "21790.5",
  close: "21840",
  volume: "12.5",
  trade_count: 3,
  quality: "complete",
  revision: 0,
  forming: false,
  simulated: false,
  ...changes,
});
const signal = (score: number): Signal => ({
  opened_at: 60_000_000,
  known_at: 120_000_000,
  exchange: "okx",
  symbol: "BTC-USDT",
  timeframe: "1m",
  score,
  confidence: 0.5,
  calibrated: true,
  reasons: [],
  rules: {},
});

test("a candle is drawn at its second, with numbers", () => {
  expect(bar(candle())).toEqual({ time: 1_676_246_400, open: 21800.1, high: 21850, low: 21790.5, close: 21840 });
});

test.each([
  ["21840", "#00ff0055"],
  ["21800.10", "#00ff0055"],
  ["21800", "#ff000055"],
])("volume of a candle from 21800.10 to %s has the colour %s", (close, color) => {
  expect(volume(candle({ close }), colours)).toEqual({ time: 1_676_246_400, value: 12.5, color });
});

test("an indicator that warms up or is unknown leaves a gap, and its zero is a value", () => {
  const row = { opened_at: 60_000_000, values: { rsi_14: null, adx_14: 0 } };
  expect(point(row, "rsi_14")).toEqual({ time: 60 });
  expect(point(row, "vwap")).toEqual({ time: 60 });
  expect(point(row, "adx_14")).toEqual({ time: 60, value: 0 });
});

test("only strong signals get an arrow, which points where the price should go", () => {
  expect(markers([signal(0.35), signal(0.34), signal(-0.34), signal(-0.8)], colours)).toEqual([
    { time: 60, position: "belowBar", shape: "arrowUp", color: "#00ff00", text: "0.35" },
    { time: 60, position: "aboveBar", shape: "arrowDown", color: "#ff0000", text: "-0.80" },
  ]);
});

describe("a chart that shows 60 to 180", () => {
  const drawn = extent([{ opened_at: 60 }, { opened_at: 120 }, { opened_at: 180 }]);

  test("lacks its last row, which may have changed, and what follows", () => {
    const rows = [60, 120, 180, 240].map((opened_at) => ({ opened_at }));
    expect(missing(rows, drawn)).toEqual([{ opened_at: 180 }, { opened_at: 240 }]);
  });

  test("is drawn anew when older rows came before its first", () => {
    expect(missing([{ opened_at: 0 }, { opened_at: 60 }], drawn)).toBeNull();
  });

  test("is drawn anew when its first row was pushed out", () => {
    expect(missing([{ opened_at: 120 }, { opened_at: 240 }], drawn)).toBeNull();
  });
});

test("a chart that shows nothing yet is drawn anew", () => {
  expect(missing([{ opened_at: 60 }], extent([]))).toBeNull();
});

test("a sparkline spans its box, and a flat one lies at its foot", () => {
  expect(outline([1, 3, 2])).toBe("0,18 30,2 60,10");
  expect(outline([5, 5])).toBe("0,18 60,18");
});
