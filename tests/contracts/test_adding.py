"""Adding a thing touches what CONTRIBUTING says: done in a copy of the project, and held to the contracts of its kind.

Each file below is written as a newcomer would write it, after the file that CONTRIBUTING names as the model. A mart is
added in `tests/assets/warehouse/test_mart_contracts.py`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
FILES = {
    "realtime/indicators/body.py": '''
        """Body: the share of a bar's range that lies between open and close.

        Unit: 0 (a doji) to 1, 0 when nothing moved.
        Source: Nison, Japanese Candlestick Charting Techniques (1991).
        """

        from typing import NamedTuple

        from realtime.kernels.kernel import Bars, kernel

        PARAMETERS = ({},)
        OUTPUTS = ("",)


        def warmup() -> tuple[int, ...]:
            """Return the index of each output's first value."""
            return (0,)


        class State(NamedTuple):
            """What the next step needs."""

            count: int = 0


        @kernel
        def step(state: State, bars: Bars, i: int) -> tuple[State, tuple[float]]:
            """Fold one bar."""
            at = i & bars.mask
            reach = bars.high[at] - bars.low[at]
            return State(state.count + 1), (abs(bars.close[at] - bars.open[at]) / reach if reach > 0.0 else 0.0,)
        ''',
    "realtime/signals/stochastic.py": '''
        """Stochastic: below 20 the market is sold out, above 80 bought out."""

        from collections.abc import Mapping

        import numpy as np

        from realtime.kernels.kernel import Floats
        from realtime.signals import View

        WEIGHT = 0.5


        def rule(view: View) -> Floats:
            """Say up below 20 and down above 80."""
            k = view["stochastic_14_3_3_k"]
            values: Floats = np.where(np.isnan(k), np.nan, np.where(k < 20.0, 1.0, np.where(k > 80.0, -1.0, 0.0)))
            return values


        def reason(value: float, at: Mapping[str, float]) -> str:
            """Say where %K stands."""
            return f"stochastic %K {'low' if value > 0 else 'high'} at {at['stochastic_14_3_3_k']:.0f}"
        ''',
    "realtime/strategies/breakaway.py": '''
        """Long after a close 2 % above the one before, flat after one 2 % below."""

        from typing import NamedTuple

        import numpy as np

        from realtime.kernels.kernel import Bars, kernel

        PARAMETERS = ({"percent": 2.0},)
        OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


        def warmup(percent: float) -> tuple[int, ...]:
            """Return the first bar that each output may be known at."""
            return (1,) * 6


        class State(NamedTuple):
            """What the next step needs."""

            close: float = np.nan


        @kernel
        def step(
            state: State, bars: Bars, i: int, percent: float
        ) -> tuple[State, tuple[float, float, float, float, float, float]]:
            """Fold one bar."""
            close = bars.close[i & bars.mask]
            change = close / state.close - 1.0
            target = 1.0 if change > percent / 100.0 else (0.0 if change < -percent / 100.0 else np.nan)
            return State(close), (target, np.nan, np.nan, np.nan, np.nan, np.nan)
        ''',
    "serving/routes/ping.py": '''
        """`/api/ping`: how far it is from here."""

        from pydantic import BaseModel
        from starlette.requests import Request

        from serving.endpoint import Endpoint
        from serving.parameters import Nothing


        class Pong(BaseModel):
            """The answer."""

            pong: bool


        async def ping(_request: Request, _query: Nothing) -> object:
            """Answer."""
            return {"pong": True}


        ENDPOINTS = (Endpoint("/api/ping", "How far it is", ping, Pong),)
        ''',
    "assets/defs/census.py": '''
        """Group `census`: how many symbols the lake has."""

        import dagster as dg


        @dg.asset(
            key=["census", "symbols"],
            deps=[dg.AssetKey(["lake", "candles"])],
            group_name="census",
            kinds={"polars"},
            owners=["team:data"],
            description="How many symbols there are.",
        )
        def symbols() -> dg.MaterializeResult[None]:
            """Count."""
            return dg.MaterializeResult(metadata={"symbols": 0})


        defs = dg.Definitions(assets=[symbols])
        ''',
}
ROUTES = "from serving.app import routes; routes()"
SERVED = """
from serving import openapi
from serving.app import endpoints, routes
routes()
print("/api/ping" in openapi.document(endpoints())["paths"])
"""
GROUPS = "from assets.definitions import defs; print(*(spec.group_name for spec in defs.resolve_all_asset_specs()))"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as git has it, with one new file of each kind."""
    folder = tmp_path_factory.mktemp("copy")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name, text in FILES.items():
        (folder / name).write_text(dedent(text).lstrip())
    okx = folder / "ingestion" / "exchanges" / "okx"
    shutil.copytree(okx, okx.with_name("okx_eu"))
    for path in okx.with_name("okx_eu").glob("*.py"):
        path.write_text(path.read_text().replace("exchanges.okx", "exchanges.okx_eu").replace('"okx"', '"okx_eu"'))
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-W", "ignore", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def outcome(folder: Path, *arguments: str) -> str:
    done = run(folder, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *arguments)
    assert done.returncode == 0, done.stdout[-3_000:]
    return done.stdout


@pytest.mark.parametrize(
    ("contract", "name"),
    [
        ("tests/contracts/test_indicators.py", "body"),
        ("tests/contracts/test_rules.py", "stochastic"),
        ("tests/contracts/test_strategies.py", "breakaway"),
        ("tests/contracts/test_exchanges.py", "okx_eu"),
    ],
)
def test_a_new_member_is_found_and_keeps_the_contract_of_its_kind(copy: Path, contract: str, name: str) -> None:
    assert " passed" in outcome(copy, contract, "-k", name)


def test_a_new_indicator_rule_and_strategy_get_certificates(copy: Path) -> None:
    certified = outcome(copy, "tests/contracts/test_noninterference.py", "-k", "body or stochastic or breakaway", "-vv")
    for name in ("body", "stochastic", "breakaway"):
        assert name in certified


@pytest.mark.slow  # 27 s: test_definitions.py holds the rule
def test_a_new_strategy_leaves_the_agreed_asset_graph_as_it_is(copy: Path) -> None:
    (copy / "assets" / "defs" / "census.py").rename(copy / "census.py")
    try:
        outcome(copy, "tests/assets/test_definitions.py", "-k", "agreed_on or every_asset")
    finally:
        (copy / "census.py").rename(copy / "assets" / "defs" / "census.py")


def test_a_new_group_of_assets_is_in_dagster(copy: Path) -> None:
    assert "census" in run(copy, "-c", GROUPS).stdout.split()


def test_a_new_route_is_served_and_one_that_the_policy_does_not_know_is_named(copy: Path) -> None:
    policy = copy / "serving" / "accounts" / "policy.py"
    text = policy.read_text()
    assert "GET /api/ping has no row in RULES of serving/accounts/policy.py" in run(copy, "-c", ROUTES).stderr
    policy.write_text(
        text.replace(
            "RULES: dict[tuple[str, str], Rule] = {",
            'RULES: dict[tuple[str, str], Rule] = {\n    ("GET", "/api/ping"): PUBLIC,',
        )
    )
    assert run(copy, "-c", SERVED).stdout.split() == ["True"]
