"""The folder through which a champion reaches the engine; the files themselves are tested with the models."""

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from infra.errors import InputError
from infra.settings import Settings
from realtime.models import model_file
from realtime.models.model_file import Champion, champion, champion_path, hand_over

WRITER = """
import sys
from pathlib import Path
from itertools import count
from tests_champion import told
from realtime.models.model_file import hand_over
for version in count(1):
    content = bytes([version % 256]) * 300_000
    hand_over(Path(sys.argv[1]), told(version, content), content)
    print(version, flush=True)
"""
TOLD = """
from realtime.models.model_file import Champion, digest
def told(version, content):
    return Champion("hourly_barrier", str(version), "run", digest(content), "hourly-0", ("a", "b"), 1.0, 0.0, 0.5,
                    "1h", 24, 1_700_000_000_000_000, False)
"""


def made(version: str, content: bytes) -> Champion:
    return Champion(
        name="hourly_barrier",
        version=version,
        run="r1",
        sha256=model_file.digest(content),
        feature_version="hourly-0",
        inputs=("return_1", "return_6"),
        slope=1.1,
        intercept=-0.1,
        base_rate=0.49,
        timeframe="1h",
        horizon_bars=24,
        promoted_at=1_700_000_000_000_000,
        simulated=True,
    )


def test_nobody_is_champion_of_an_empty_folder(tmp_path: Path) -> None:
    assert champion(champion_path(Settings(data_directory=tmp_path))) is None


def test_a_new_champion_leaves_the_file_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "models" / "champion.json"
    for version, content in (("1", b"one"), ("2", b"two")):
        hand_over(path, made(version, content), content)
        assert champion(path) == made(version, content)
    assert sorted(one.read_bytes() for one in path.parent.glob("*.skops")) == [b"one", b"two"]


@pytest.mark.parametrize("wrong", [b"", b"{}", b'{"name": 1}'])
def test_a_word_that_cannot_be_read_names_its_file(tmp_path: Path, wrong: bytes) -> None:
    (tmp_path / "champion.json").write_bytes(wrong)
    with pytest.raises(InputError, match=r"champion\.json cannot be read"):
        champion(tmp_path / "champion.json")


def test_an_unknown_field_is_an_error_not_a_guess(tmp_path: Path) -> None:
    told = {**msgspec.to_builtins(made("1", b"one")), "threshold": 0.5}
    (tmp_path / "champion.json").write_bytes(msgspec.json.encode(told))
    with pytest.raises(InputError, match="threshold"):
        champion(tmp_path / "champion.json")


def test_whoever_is_killed_while_handing_over_leaves_a_champion_whose_file_is_whole(tmp_path: Path) -> None:
    (tmp_path / "tests_champion.py").write_text(TOLD)
    path = tmp_path / "models" / "champion.json"
    for kill in range(3):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PYTHONPATH": str(tmp_path)}) as writer:
            assert writer.stdout
            for _ in range(2 + kill):
                said = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
        told = champion(path)
        assert told is not None
        assert int(told.version) >= said
        assert model_file.digest((path.parent / f"{told.sha256}.skops").read_bytes()) == told.sha256
