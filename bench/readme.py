"""Write the table of measurements into the README from bench/results.json; a test holds the two together."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BEGIN = "<!-- bench: written by `python -m bench.readme` from bench/results.json -->\n"
END = "<!-- /bench -->"


def table(results: dict[str, Any]) -> str:
    """Return the figures that have a bar, in Markdown."""
    lines = ["| what | measured | bar | peers in the same run | holds |", "|---|---|---|---|---|"]
    for benchmark in results["measured"].values():
        for row in (row for row in benchmark["rows"] if row.get("bar")):
            peers = ", ".join(f"{name} {value:,.4g}" for name, value in row.get("peers", {}).items())
            holds = {True: "yes", False: "**no**", None: ""}[row.get("met")]
            lines.append(
                f"| {row['what']} | {row['value']:,.4g} {row['unit']} | {row.get('bar', '')} | {peers} | {holds} |"
            )
    return "\n".join(lines)


def written(readme: str, results: dict[str, Any]) -> str:
    """Return the README with the table of these results."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    machine = results["machine"]
    head = f"`make bench` on {machine['cores']} cores, Python {machine['python']}.\n\n"
    return f"{before}{BEGIN}{head}{table(results)}\n{END}{after}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(written(path.read_text(), json.loads((ROOT / "bench" / "results.json").read_text())))
