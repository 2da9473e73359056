import { expect, test } from "vitest";
import { read, type View, write } from "../src/address";

test("an empty address shows the composite of BTC-USDT by the minute", () => {
  expect(read("")).toEqual({
    symbol: "BTC-USDT",
    exchange: "composite",
    timeframe: "1m",
    panes: ["ema", "rsi", "macd"],
  });
});

test("an address says what is shown", () => {
  expect(read("#symbol=ETH-USDT&exchange=okx&timeframe=4h&panes=adx,vwap")).toEqual({
    symbol: "ETH-USDT",
    exchange: "okx",
    timeframe: "4h",
    panes: ["adx", "vwap"],
  });
});

test("an address without panes is not one that says nothing of them", () => {
  expect(read("#panes=").panes).toEqual([]);
});

test.each<View>([
  { symbol: "SOL-USDT-PERP", exchange: "bybit", timeframe: "15m", panes: ["bollinger"] },
  { symbol: "A&B=C", exchange: "composite", timeframe: "1d", panes: [] },
])("what is written is read back: %o", (view) => {
  expect(read(write(view))).toEqual(view);
});
