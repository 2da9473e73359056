// What can be drawn over the candles (own: false) or in a pane below; an entry adds a toggle.
export type Line = { column: string; color: string; histogram?: boolean };
export type Pane = { title: string; own: boolean; lines: Line[] };

export const PANES: Record<string, Pane> = {
  ema: {
    title: "EMA 21/50",
    own: false,
    lines: [
      { column: "ema_21", color: "#f5a524" },
      { column: "ema_50", color: "#a78bfa" },
    ],
  },
  bollinger: {
    title: "Bollinger",
    own: false,
    lines: ["upper", "middle", "lower"].map((part) => ({ column: `bollinger_20_2_${part}`, color: "#5b8def" })),
  },
  vwap: { title: "VWAP", own: false, lines: [{ column: "vwap", color: "#e879f9" }] },
  supertrend: { title: "Supertrend", own: false, lines: [{ column: "supertrend_10_3", color: "#22c55e" }] },
  rsi: { title: "RSI", own: true, lines: [{ column: "rsi_14", color: "#a78bfa" }] },
  macd: {
    title: "MACD",
    own: true,
    lines: [
      { column: "macd_12_26_9_histogram", color: "#8a90a0", histogram: true },
      { column: "macd_12_26_9", color: "#5b8def" },
      { column: "macd_12_26_9_signal", color: "#f5a524" },
    ],
  },
  adx: {
    title: "ADX",
    own: true,
    lines: [
      { column: "adx_14", color: "#f5a524" },
      { column: "adx_14_plus_di", color: "#26a69a" },
      { column: "adx_14_minus_di", color: "#ef5350" },
    ],
  },
  stochastic: {
    title: "Stochastic",
    own: true,
    lines: [
      { column: "stochastic_14_3_3_k", color: "#5b8def" },
      { column: "stochastic_14_3_3_d", color: "#f5a524" },
    ],
  },
};

/** Lines of the chosen entries with the pane that each is drawn in: 0 is the candles', the others follow in order. */
export function place(names: string[]): { line: Line; pane: number }[] {
  let last = 0;
  return names.flatMap((name) => {
    const { own, lines } = PANES[name] ?? { own: false, lines: [] };
    if (own) last += 1;
    const pane = own ? last : 0;
    return lines.map((line) => ({ line, pane }));
  });
}

/** Leave a name out where it is among them, else put it last. */
export const toggle = (names: string[], name: string): string[] =>
  names.includes(name) ? names.filter((other) => other !== name) : [...names, name];
