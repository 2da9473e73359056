"""A strategy over all history of the lake, all symbols in one account: what Dagster keeps up to date."""

from dataclasses import dataclass
from pathlib import Path

from assets.backtests.costs import Slippage, terms_of
from assets.backtests.counting import counted, trial_of_result
from assets.backtests.history import History
from assets.backtests.plan import Plan
from assets.backtests.report import Report, report
from assets.backtests.run import Sizing, backtest, orders_of
from assets.backtests.tearsheet import page
from assets.certificates.members import has_certificate
from assets.report_files import as_json
from infra.files import write_atomically
from realtime.strategies import strategy

CAPITAL = 10_000.0


@dataclass(frozen=True, slots=True)
class Files:
    """Where a report lies."""

    html: Path
    json: Path


def whole_lake(name: str, history: History, exchange: str) -> Report:
    """Run a strategy with its defaults, spot, at equal weights, and count the trial.

    Raises LeakError for one that reads the future, UnavailableError without the ledger.
    """
    defaults = strategy(name)
    has_certificate(defaults, uncertified=False)
    terms = terms_of(exchange, perpetual=False, slippage=Slippage(), leverage=1.0)
    plan = Plan(history, terms, Sizing("fraction", 1.0 / len(history.symbols)), CAPITAL, exchange)
    result = backtest(history, orders_of(defaults, history), plan.terms, plan.capital, plan.sizing)
    return report(defaults, plan, result, counted([trial_of_result(defaults, plan, result)], uncounted=False))


def write(folder: Path, name: str, summary: Report) -> Files:
    """Write the tear sheet and its JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder / f"{name}.html", folder / f"{name}.json")
    write_atomically(files.html, page(summary).encode())
    write_atomically(files.json, as_json(summary.document()))
    return files
