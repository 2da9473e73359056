"""The page of a walk forward: the stitched equity and its steps, in one HTML file with everything inside."""

from html import escape

import plotly.graph_objects as go  # type: ignore[import-untyped]  # plotly has no types
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # see above

from assets.backtests.tearsheet import STYLE, plain, thinned, times
from assets.backtests.walk_report import WalkReport, lines, named, row
from assets.times import moment


def page(summary: WalkReport) -> str:
    """Return it as one HTML file with everything inside."""
    at = thinned(len(summary.walk.equity))
    figure = go.Figure(go.Scatter(x=times(summary.walk.closed_at[at]), y=summary.walk.equity[at], name="equity"))
    for step in summary.walk.steps:
        figure.add_vline(x=times(step.outside.closed_at[:1])[0].item(), line={"width": 1, "dash": "dot"})
    figure.update_layout(height=460, title="Equity out of sample", margin={"l": 60, "r": 20, "t": 40, "b": 40})
    title = f"{summary.name} on {', '.join(summary.plan.history.symbols)}, walked forward"
    sentences = "".join(f"<li>{plain(line)}</li>" for line in lines(summary))
    rows = "".join(
        f"<tr><td>{moment(cells['out_of_sample_from'])}</td><td>{escape(named(cells['parameters']))}</td>"
        f"<td>{cells['in_sample_return']:.1%}</td><td>{cells['out_of_sample_return']:.1%}</td></tr>"
        for cells in map(row, summary.walk.steps)
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body><h1>{escape(title)}</h1><ul>{sentences}</ul>"
        f"{figure.to_html(full_html=False, include_plotlyjs=False)}<table><tr><th>out of sample from</th>"
        f"<th>parameters</th><th>inside</th><th>outside</th></tr>{rows}</table></body></html>"
    )
