import { price, score, time } from "./format";
import { indicators, signals, timeframe } from "./state";

/** The newest signal with its reasons, and every indicator's last value. */
export function Side() {
  const signal = signals.value[signals.value.length - 1];
  const row = indicators.value[indicators.value.length - 1];
  return (
    <aside class="side" aria-label="Signal and indicators">
      <h2>Signal · {timeframe.value}</h2>
      {signal ? (
        <>
          <div class="gauge" aria-hidden="true">
            <i style={{ left: `${50 + signal.score * 50}%` }} />
          </div>
          <p class="number">
            <b class={signal.score >= 0 ? "up" : "down"}>{score(signal.score)}</b>{" "}
            <span class="dim">
              confidence {(signal.confidence * 100).toFixed(0)} %{signal.calibrated ? "" : " (not calibrated)"} ·{" "}
              {time(signal.known_at)} UTC
            </span>
          </p>
          <ul class="reasons">
            {signal.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
          {Object.entries(signal.rules).map(([rule, value]) => (
            <div class="reason" key={rule}>
              <span class="dim">{rule.replaceAll("_", " ")}</span>
              <span class={`number ${value === null ? "dim" : value >= 0 ? "up" : "down"}`}>
                {value === null ? "–" : score(value)}
              </span>
            </div>
          ))}
        </>
      ) : (
        <p class="dim">No signal on this timeframe yet.</p>
      )}
      <h2>Indicators {row ? <span class="dim">({Object.keys(row.values).length})</span> : null}</h2>
      <dl class="values number">
        {Object.entries(row?.values ?? {}).map(([name, value]) => [
          <dt key={name}>{name}</dt>,
          <dd key={`${name}-value`}>{value === null ? "warming up" : price(value)}</dd>,
        ])}
      </dl>
    </aside>
  );
}
