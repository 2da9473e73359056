"""The raw tape gives back what was written, and of a damaged one everything that is whole."""

import random
from functools import partial
from pathlib import Path

from infra.clock import HOUR
from ingestion.tape import MAGIC, Frame, Tape, read_tail, read_tape


def frame(n: int) -> Frame:
    return Frame(n, "okx", False, 3, b'{"n":%d}' % n)


def note(damaged: list[str], _: Path, __: int, reason: str) -> None:
    damaged.append(reason)


def written(directory: Path, blocks: int = 50) -> Path:
    tape = Tape(directory, keep_hours=1, now=lambda: HOUR)
    for n in range(blocks):
        tape.write([frame(2 * n), frame(2 * n + 1)])
    tape.close()
    [file] = directory.iterdir()
    return file


def test_frames_come_back_in_order(tmp_path: Path) -> None:
    assert list(read_tape(written(tmp_path))) == [frame(n) for n in range(100)]


def test_what_was_written_is_there_without_closing(tmp_path: Path) -> None:
    tape = Tape(tmp_path, keep_hours=1, now=lambda: HOUR)
    tape.write([frame(1)])
    assert list(read_tape(tmp_path)) == [frame(1)]
    tape.close()


def test_hours_have_their_own_files_and_old_ones_go(tmp_path: Path) -> None:
    at = [10 * HOUR]
    tape = Tape(tmp_path, keep_hours=2, now=lambda: at[0])
    for hour in range(10, 15):
        at[0] = hour * HOUR
        tape.write([frame(hour)])
    tape.close()
    assert [f.received_at for f in read_tape(tmp_path)] == [12, 13, 14]


def test_any_damage_is_reported_and_costs_only_the_blocks_it_hit(tmp_path: Path) -> None:
    file, dice = written(tmp_path), random.Random(5)
    content = file.read_bytes()
    size = len(content) // 50
    ends = {n for n in range(len(content) + 1) if content[n : n + len(MAGIC)] == MAGIC or n == len(content)}
    for _ in range(1_000):
        raw = bytearray(content)
        if dice.random() < 0.5:
            del raw[dice.randrange(len(raw)) :]
        else:
            raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
        file.write_bytes(raw)
        damaged: list[str] = []
        frames = list(read_tape(file, partial(note, damaged)))
        numbers = [f.received_at for f in frames]
        assert frames == [frame(n) for n in numbers]
        assert numbers == sorted(numbers)
        assert len(frames) >= 2 * (len(raw) // size - 2)
        assert damaged or len(raw) in ends


def test_the_newest_frames_are_read_without_the_older_ones(tmp_path: Path) -> None:
    file = written(tmp_path)
    size = file.stat().st_size
    tail = list(read_tail(tmp_path, size // 5))
    assert tail == [frame(n) for n in range(100)][-len(tail) :]
    assert 10 <= len(tail) <= 20
    assert len(list(read_tail(tmp_path))) == 100
