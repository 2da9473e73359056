"""What was published live is what a replay of the tape publishes: history, healed trades, gaps and a restart too."""

import importlib.util
from pathlib import Path

import msgspec

from infra.clock import MINUTE, SECOND
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from infra.settings import settings
from ingestion.messages import TRADES_TOPIC, Coverage, Gap, History, decode_market
from ingestion.streams.replay import Replay
from realtime.commands.replay import lines, replay
from realtime.fold.emission import Emission, Refused
from realtime.process.service import build

SPEC = importlib.util.spec_from_file_location("following", Path(__file__).parents[2] / "ingestion" / "following.py")
assert SPEC is not None
assert SPEC.loader is not None
harness = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(harness)


def logged(url):
    log = ValkeyLog(url)
    position = Position(TRADES_TOPIC, 0)
    offset, end, found = log.begin(position), log.end(position), []
    while offset < end:
        messages = log.read({position: offset}, most=2_000)
        found += [one.payload for one in messages]
        offset = messages[-1].offset + 1
    log.close()
    return found


def newest(run):
    return max(at for at, *_ in run.logged().values.values())


def folded(payloads, engine):
    return b"".join(
        lines(one, engine)
        for payload in payloads
        for one in engine.fold(0, decode_market(payload))
        if isinstance(one, Emission | Refused)
    )


def test_a_replay_publishes_and_folds_what_the_live_run_did(valkey, tmp_path, monkeypatch):
    with harness.following(tmp_path, valkey, rate=60) as run:
        monkeypatch.setenv("CAP_SIMULATOR_URL", run.simulator)
        settings.cache_clear()
        harness.wait(lambda: len(run.logged().trades) == 12)
        for exchange in harness.EXCHANGES:
            run.fault(kind="duplicate", exchange=exchange, count=20)
            run.fault(kind="reset", exchange=exchange, count=1)
            run.fault(kind="drop", exchange=exchange, count=3)
        harness.wait(lambda: run.spent() and any(gap.status == "healed" for gap in run.logged().gaps))
        assert run.stop() == 0
        before = run.messages()
        run.start()
        closed = (newest(run) // MINUTE + 1) * MINUTE + 5 * SECOND
        harness.wait(lambda: newest(run) > closed, 120)
        assert run.stop() == 0
    live = logged(valkey)
    assert len(live) > before
    assert {type(decode_market(one)) for one in live} >= {History, Coverage, Gap}
    tape = tmp_path / "data" / "ingestion" / "tape"
    again = [payload for _, payload in Replay(1).messages(tape)]
    different = next((n for n, (a, b) in enumerate(zip(live, again, strict=False)) if a != b), None)
    assert different is None, (different, decode_market(live[different]), decode_market(again[different]))
    assert len(again) == len(live)

    replay(tape, tmp_path / "out.jsonl")
    content = (tmp_path / "out.jsonl").read_bytes()
    assert content == folded(live, build(settings()))
    found = [msgspec.json.decode(line) for line in content.splitlines()]
    assert any(one.get("series", "").startswith("okx:BTC-USDT-PERP") for one in found)
