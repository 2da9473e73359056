import { PANES, toggle } from "./panes";
import { exchange, panes, symbol, symbols, timeframe } from "./state";
import { TIMEFRAMES } from "./types";

/** What is drawn: exchange, timeframe, overlays and panes. */
export function Tools() {
  const exchanges = symbols.value.find((row) => row.symbol === symbol.value)?.exchanges ?? [];
  const choices = ["composite", ...exchanges.filter((name) => name !== "composite")];
  return (
    <div class="tools">
      <h2>{symbol.value}</h2>
      <label class="group">
        <span class="dim">exchange</span>
        <select value={exchange.value} onChange={(event) => (exchange.value = event.currentTarget.value)}>
          {choices.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <fieldset class="group" aria-label="Timeframe">
        {TIMEFRAMES.map((name) => (
          <button
            type="button"
            key={name}
            aria-pressed={timeframe.value === name}
            onClick={() => (timeframe.value = name)}
          >
            {name}
          </button>
        ))}
      </fieldset>
      <fieldset class="group" aria-label="Indicators">
        {Object.entries(PANES).map(([name, pane]) => (
          <button
            type="button"
            key={name}
            aria-pressed={panes.value.includes(name)}
            onClick={() => (panes.value = toggle(panes.value, name))}
          >
            {pane.title}
          </button>
        ))}
      </fieldset>
    </div>
  );
}
