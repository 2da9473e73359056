"""What may happen to a disk: it is full, tears writes, loses power, flips bits. A version is whole or not there."""

import errno
import os
import random
import shutil
import subprocess
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from infra.clock import DAY, HOUR
from infra.errors import UnavailableError
from ingestion.lake import frame
from ingestion.lake.datasets import TRADES
from ingestion.lake.manifest import DamagedError, current_path, load, load_version, manifest_path
from ingestion.lake.rows import trade_frame
from ingestion.lake.sql import query
from ingestion.lake.store import Local
from ingestion.lake.writer import FAN, Lake, append, clean, compact, latest
from ingestion.market import TRADE
from tests.ingestion.lake import faulty

BEGIN = 19_400 * DAY
PLACE = "market-trades:0"


def rows(first: int, number: int = 12, step: int = 4 * HOUR) -> pl.DataFrame:
    trades = np.zeros(number, TRADE)
    trades["id_low"] = trades["sequence"] = first + np.arange(number)
    trades["traded_at"] = trades["received_at"] = BEGIN + np.arange(number) * step
    trades["price"], trades["quantity"], trades["count"] = 100, 5, 1
    return trade_frame("binance", ["BTC-USDT"], trades)


def add(lake: Lake, first: int, number: int = 12) -> None:
    append(lake, TRADES, rows(first, number), {PLACE: first + number}, {PLACE: first})


def ids(root: Path) -> list[int]:
    return sorted(frame("trades", store=Local(root))["id_low"].to_list())


@pytest.mark.parametrize(("code", "part"), [(errno.ENOSPC, 0.0), (errno.EIO, 0.4)])
def test_whichever_call_fails_the_version_before_stays_and_the_next_attempt_goes_on(tmp_path, code, part) -> None:
    for n in range(FAN - 1):
        add(Lake(Local(tmp_path / "good")), n * 12)
    for calls in count():
        root = tmp_path / f"{calls}"
        shutil.copytree(tmp_path / "good", root)
        before = load(Local(root), "trades")
        system = faulty.Full(calls, code, part)
        error = fails(partial(add, Lake(Local(root, system)), (FAN - 1) * 12))  # two days, and a merge
        if not system.failed:
            break
        assert os.strerror(code) in error
        assert str(root) in error
        if load(Local(root), "trades") == before:  # else only the very last fsync failed: the new version is there
            assert ids(root) == list(range((FAN - 1) * 12))
            add(Lake(Local(root)), (FAN - 1) * 12)
        assert ids(root) == list(range(FAN * 12))
        assert not list(root.rglob("*.tmp"))
        clean(Lake(Local(root)), TRADES)
        manifests = [load_version(Local(root), str(path)) for path in root.glob("trades/manifests/*")]
        assert set(root.rglob("*.parquet")) == {root / file.path for manifest in manifests for file in manifest.files}
    assert calls > 20


def fails(work) -> str:
    try:
        work()
    except UnavailableError as error:
        return str(error)
    return ""


def test_a_real_disk_that_is_full_leaves_the_version_before(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs to be root")
    try:
        lake, done, random_ = Lake(Local(disk / "lake")), 0, np.random.default_rng(1)

        def more() -> None:
            noise = rows(done, 5_000, 1_000).with_columns(price=pl.Series(random_.integers(1, 2**62, 5_000)))
            append(lake, TRADES, noise, {PLACE: done + 5_000}, {PLACE: done})

        while not (error := fails(more)):
            done += 5_000
        assert "No space left on device" in error
        assert done > 20_000
        assert ids(disk / "lake") == list(range(done))
        assert not list(disk.rglob("*.tmp"))
        subprocess.run(["mount", "-o", "remount,size=12m", str(disk)], check=True)
        more()
        assert ids(disk / "lake") == list(range(done + 5_000))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("states", [4, pytest.param(12, marks=pytest.mark.slow)])
def test_after_a_power_loss_at_any_instant_an_acknowledged_version_is_there_whole(tmp_path: Path, states: int) -> None:
    choose, number, acknowledged = random.Random(7), count(), [0]
    root = tmp_path / "lake"

    def lose_power(disk) -> None:
        for _ in range(states):
            state = next(number)
            target = tmp_path / f"after{state}"
            disk.after_power_loss(target / "lake", choose)
            survived = load(Local(target / "lake"), "trades")
            upto = survived.offsets[PLACE] if survived else 0
            assert upto >= acknowledged[0]
            assert not upto or ids(target / "lake") == list(range(upto))
            if state % 30 == 0:  # and the writer goes on from there
                lake = Lake(Local(target / "lake"))
                clean(lake, TRADES)
                add(lake, upto)
                assert ids(target / "lake") == list(range(upto + 12))

    root.mkdir()
    lake = Lake(Local(root, faulty.Recorder(root, lose_power)))
    for n in range(FAN + 2):
        add(lake, n * 12)
        acknowledged[0] = (n + 1) * 12
    compact(lake, TRADES, "9999")
    assert next(number) >= 500  # states


@pytest.mark.parametrize("damages", [100, pytest.param(1_000, marks=pytest.mark.slow)])
def test_every_flipped_bit_and_cut_file_is_found_before_a_row_is_served_and_named(tmp_path: Path, damages: int) -> None:
    choose, root = random.Random(3), tmp_path / "lake"
    lake = Lake(Local(root))
    for n in range(3):
        add(lake, n * 12)
    current = latest(lake, TRADES)
    places = [current_path("trades"), manifest_path("trades", current.version), *(file.path for file in current.files)]
    for n in range(damages):
        path = root / choose.choice(places)
        good = path.read_bytes()
        bad = bytearray(good)
        if n % 4:
            bad[choose.randrange(len(bad))] ^= 1 << choose.randrange(8)
        else:
            del bad[choose.randrange(len(bad)) :]
        path.write_bytes(bad)
        for ask in (lambda: frame("trades", store=lake.store), lambda: query(lake.store, "select * from trades")):
            with pytest.raises(DamagedError) as raised:
                ask()
            name = path.name if path.suffix == ".parquet" else "trades/"
            assert name in str(raised.value)
        path.write_bytes(good)
    assert ids(root) == list(range(36))
