import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Candle } from "../src/types";
import { Wire } from "./wire";

type State = typeof import("../src/state");
type Answer = { path: string; reply: (body: object, status?: number) => Promise<void> };

let state: State;
let wire: Wire;
let answers: Answer[]; // requests of the page, each waiting for its reply
const replaceState = vi.fn();

/** What the API says of candles that opened then. */
const items = (...rows: Partial<Candle>[]) => ({ items: rows });
const closes = () => state.candles.value.map(({ opened_at, close }) => [opened_at, close]);

function answer(part: string): Answer {
  const match = answers.findLast(({ path }) => path.includes(part));
  if (!match) throw new Error(`the page did not ask for ${part}`);
  return match;
}

/** Answer a request of the page, and go on once the page has taken the answer. */
function answering(resolve: (response: Partial<Response>) => void): Answer["reply"] {
  return async (body, status = 200) => {
    resolve({ ok: status < 400, statusText: "from the status", json: async () => body });
    await new Promise((turn) => setTimeout(turn));
  };
}

/** A page that was just opened at an address, whose API answers when the test says so. */
beforeEach(async () => {
  vi.resetModules();
  [answers, wire] = [[], new Wire()];
  vi.stubGlobal("location", { hash: "#symbol=BTC-USDT&exchange=okx&timeframe=5m", protocol: "https:", host: "cap" });
  vi.stubGlobal("history", { replaceState });
  vi.stubGlobal("WebSocket", function open(url: string) {
    return Object.assign(wire, { url });
  });
  vi.stubGlobal("fetch", (path: string) => {
    return new Promise((resolve) => answers.push({ path, reply: answering(resolve) }));
  });
  const { connection } = await import("../src/socket");
  connection.connect();
  state = await import("../src/state");
  wire.accept();
});

afterEach(() => vi.unstubAllGlobals());

test("the page's socket is the one of its own host, encrypted as the page is", () => {
  expect(wire).toHaveProperty("url", "wss://cap/ws/market-data");
});

test("the series of the address is asked for and followed", () => {
  expect(answers.map(({ path }) => path)).toEqual([
    "/api/candles/BTC-USDT?timeframe=5m&exchange=okx&limit=500",
    "/api/indicators/BTC-USDT?timeframe=5m&exchange=okx&limit=240",
    "/api/signals/latest?symbol=BTC-USDT&timeframe=5m&exchange=okx",
  ]);
  expect(wire.requests.map(({ params }) => params.channels)).toEqual([
    ["ohlcv.okx:BTC-USDT.5m"],
    ["indicators.okx:BTC-USDT.5m"],
    ["signals.okx:BTC-USDT.5m"],
  ]);
});

test("candles that came live before the history stay newer than it", async () => {
  wire.update("ohlcv.okx:BTC-USDT.5m", 1, { data: { opened_at: 600, close: "live" } });
  await answer("candles").reply(items({ opened_at: 300, close: "old" }, { opened_at: 600, close: "old" }));
  expect(closes()).toEqual([
    [300, "old"],
    [600, "live"],
  ]);
});

test("another symbol empties the chart, moves the subscriptions and the address", () => {
  wire.update("ohlcv.okx:BTC-USDT.5m", 1, { data: { opened_at: 600, close: "1" } });
  state.symbol.value = "ETH-USDT";
  expect(closes()).toEqual([]);
  expect(wire.requests.slice(3).map(({ method, params }) => [method, params.channels[0]])).toEqual([
    ["unsubscribe", "ohlcv.okx:BTC-USDT.5m"],
    ["unsubscribe", "indicators.okx:BTC-USDT.5m"],
    ["unsubscribe", "signals.okx:BTC-USDT.5m"],
    ["subscribe", "ohlcv.okx:ETH-USDT.5m"],
    ["subscribe", "indicators.okx:ETH-USDT.5m"],
    ["subscribe", "signals.okx:ETH-USDT.5m"],
  ]);
  const address = "#symbol=ETH-USDT&exchange=okx&timeframe=5m&panes=ema%2Crsi%2Cmacd";
  expect(replaceState).toHaveBeenLastCalledWith(null, "", address);
});

test("the history of a series that was left is not drawn into the next one", async () => {
  const late = answer("candles/BTC-USDT");
  state.symbol.value = "ETH-USDT";
  await answer("candles/ETH-USDT").reply(items({ opened_at: 300, close: "1600" }));
  await late.reply(items({ opened_at: 300, close: "21840" }, { opened_at: 600, close: "21841" }));
  expect(closes()).toEqual([[300, "1600"]]);
});

test("a problem is shown in the API's words and goes when an answer comes", async () => {
  await answer("candles").reply({ title: "Bad Request", detail: "there is no timeframe 7m" }, 400);
  expect(state.problem.value).toBe("there is no timeframe 7m");
  await answer("indicators").reply({ title: "Not Found" }, 404);
  expect(state.problem.value).toBe("Not Found");
  await answer("signals").reply(items());
  expect(state.problem.value).toBeNull();
});

test("a list of symbols that cannot be read says so and leaves the old one", async () => {
  const row = { symbol: "BTC-USDT", exchanges: [], last_price: "1", change_24h: 0, sparkline: [], signal: null };
  for (const [body, status] of [
    [{ items: [row] }, 200],
    [{}, 503],
  ] as const) {
    const refreshed = state.refreshSymbols();
    await answer("/api/symbols").reply(body, status);
    await refreshed;
  }
  expect(state.symbols.value).toEqual([row]);
  expect(state.problem.value).toBe("The list of symbols could not be read: from the status");
});
