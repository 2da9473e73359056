"""The picture of a calibration, as SVG: what was said against what happened, out of sample."""

from collections.abc import Sequence

SIZE = 320


def calibration(points: Sequence[tuple[float, float]]) -> str:
    """Draw (said, happened) of each bin of rows; on the diagonal both are the same.

    >>> calibration([(0.25, 0.5)]).count("<circle")
    1
    """
    dots = "".join(
        f'<circle cx="{probability * SIZE:.1f}" cy="{SIZE - happened * SIZE:.1f}" r="4" fill="#0a7f4f"/>'
        for probability, happened in points
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-40 -20 {SIZE + 60} {SIZE + 60}" font-family="sans-serif" '
        f'font-size="12"><rect width="{SIZE}" height="{SIZE}" fill="#fff" stroke="#888"/>'
        f'<line x1="0" y1="{SIZE}" x2="{SIZE}" y2="0" stroke="#888" stroke-dasharray="4"/>{dots}'
        f'<text x="0" y="{SIZE + 16}">0</text><text x="{SIZE - 8}" y="{SIZE + 16}">1</text>'
        f'<text x="{SIZE / 2 - 60}" y="{SIZE + 30}">probability that was said</text>'
        f'<text x="-12" y="{SIZE / 2 + 40}" transform="rotate(-90 -12 {SIZE / 2 + 40})">how often it happened</text>'
        "</svg>"
    )
