/** Points of a polyline through closes in a box of 60 × 20, the lowest at its foot. */
export function outline(closes: number[]): string {
  const low = Math.min(...closes);
  const span = Math.max(...closes) - low || 1;
  return closes.map((close, n) => `${(n / (closes.length - 1)) * 60},${18 - ((close - low) / span) * 16}`).join(" ");
}

/** A small line of the last closes; green when it rose. */
export function Sparkline({ closes }: { closes: number[] }) {
  if (closes.length < 2) return <svg class="spark" viewBox="0 0 60 20" aria-hidden="true" />;
  const rose = Number(closes.at(-1)) >= Number(closes[0]);
  return (
    <svg class={rose ? "spark up" : "spark down"} viewBox="0 0 60 20" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={outline(closes)} fill="none" vector-effect="non-scaling-stroke" />
    </svg>
  );
}
