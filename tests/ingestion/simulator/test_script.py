"""Scripts of faults: by time, by trade, as JSON lines or TOML, with errors that name the place."""

import asyncio
from pathlib import Path

import pytest

from infra.errors import InputError, SettingsError
from ingestion import simulator
from ingestion.simulator import Options
from ingestion.simulator.faults import Faults
from ingestion.simulator.script import Script, read_script
from ingestion.simulator.server import running


def test_faults_begin_at_their_trade_and_at_their_time(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    entries = ['after = 0.0\nkind = "drop"\ncount = 2', 'at_trade = 50\nkind = "late"\nexchange = "okx"']
    file.write_text("".join(f"[[fault]]\n{one}\n" for one in entries))

    async def scenario() -> None:
        script = Script(read_script(file))
        async with running(Options(rate=300, symbols=1), script) as exchanges:
            kinds: list[str] = []
            while "late" not in kinds:
                kinds = [fault.kind for fault in exchanges.faults.active.values()]
                assert ("late" in kinds) <= (exchanges.sent >= 50)
                await asyncio.sleep(0)
            assert kinds == ["drop", "late"]

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_fault_given_by_trade_begins_with_that_trade_exactly() -> None:
    script, faults = Script([{"at_trade": 10, "kind": "reset"}, {"at_trade": 5, "kind": "drop"}]), Faults()
    script.at_trade(4, faults)
    assert not faults.active
    script.at_trade(5, faults)
    assert [one.kind for one in faults.active.values()] == ["drop"]
    script.at_trade(30, faults)
    assert [one.kind for one in faults.active.values()] == ["drop", "reset"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"kind": "drop"}', "say when"),
        ('{"after": 1, "at_trade": 2, "kind": "drop"}', "say when"),
        ('{"after": -1, "kind": "drop"}', "say when"),
        ('{"after": 1, "kind": "gremlin"}', "gremlin"),
        ('{"after": 1, "kind": "banned", "exchange": "okx"}', "OKX bans no address"),
        ('{"after": 1, "kind": "drop", "probability": 0}', "probability"),
        ("[1, 2]", "line 2"),
        ("after 30 s reset", "line 2"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "faults.jsonl"
    file.write_text(f'{{"after": 0, "kind": "drop"}}\n{line}\n')
    with pytest.raises(InputError, match=f"line 2.*{reason}" if reason != "line 2" else reason):
        read_script(file)


def test_a_taken_port_names_the_setting() -> None:
    async def scenario() -> None:
        async with simulator.run(rate=1, symbols=1) as exchanges:
            port = int(exchanges.url.rpartition(":")[2])
            with pytest.raises(SettingsError, match="CAP_SIMULATOR_PORT"):
                async with simulator.run(rate=1, symbols=1, port=port):
                    pass

    asyncio.run(scenario())
