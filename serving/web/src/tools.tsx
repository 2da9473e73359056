import { PANES } from "./panes";
import { exchange, panes, symbol, symbols, timeframe } from "./state";
import { TIMEFRAMES } from "./types";

/** What is drawn: exchange, timeframe, overlays and panes. */
export function Tools() {
  const exchanges = symbols.value.find((row) => row.symbol === symbol.value)?.exchanges ?? [];
  const choices = ["composite", ...exchanges.filter((one) => one !== "composite")];
  const toggle = (name: string) => {
    panes.value = panes.value.includes(name) ? panes.value.filter((one) => one !== name) : [...panes.value, name];
  };
  return (
    <div class="tools">
      <h2>{symbol.value}</h2>
      <label class="group">
        <span class="dim">exchange</span>
        <select value={exchange.value} onChange={(event) => (exchange.value = event.currentTarget.value)}>
          {choices.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <fieldset class="group" aria-label="Timeframe">
        {TIMEFRAMES.map((one) => (
          <button
            type="button"
            key={one}
            aria-pressed={timeframe.value === one}
            onClick={() => (timeframe.value = one)}
          >
            {one}
          </button>
        ))}
      </fieldset>
      <fieldset class="group" aria-label="Indicators">
        {Object.entries(PANES).map(([name, pane]) => (
          <button type="button" key={name} aria-pressed={panes.value.includes(name)} onClick={() => toggle(name)}>
            {pane.title}
          </button>
        ))}
      </fieldset>
    </div>
  );
}
