import { percent, price, score } from "./format";
import { Sparkline } from "./sparkline";
import { symbol, symbols } from "./state";

/** All symbols with their last price, change, sparkline and last signal; the arrow keys move through it. */
export function Symbols() {
  const move = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const rows = [...(event.currentTarget as HTMLElement).querySelectorAll("button")];
    rows[rows.indexOf(document.activeElement as HTMLButtonElement) + step]?.focus();
  };
  return (
    <nav class="list" aria-label="Symbols" onKeyDown={move}>
      {symbols.value.length === 0 && <p class="empty">Waiting for the first candles …</p>}
      <ul>
        {symbols.value.map((row) => (
          <li key={row.symbol}>
            <button
              type="button"
              class="row"
              aria-current={row.symbol === symbol.value}
              onClick={() => (symbol.value = row.symbol)}
            >
              <b>{row.symbol}</b>
              <Sparkline closes={row.sparkline} />
              <span class="right number">{price(row.last_price)}</span>
              <small class="dim">
                {row.signal ? (
                  <span class={row.signal.score >= 0 ? "up" : "down"}>
                    signal {score(row.signal.score)} <span class="dim">{row.signal.timeframe}</span>
                  </span>
                ) : (
                  "no signal yet"
                )}
              </small>
              <small class={`right number ${(row.change_24h ?? 0) >= 0 ? "up" : "down"}`}>
                {percent(row.change_24h)}
              </small>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}
