"""Disks that fail: the module `os` as the lake uses it, with a disk that fills up, tears writes, or loses power."""

import errno
import os
import random
from dataclasses import dataclass, field
from pathlib import Path


class Full:
    """Lets `calls` calls that change the disk through; the next fails with `code`, after `part` of it was written."""

    def __init__(self, calls: int, code: int = errno.ENOSPC, part: float = 0.0) -> None:
        self.left, self.code, self.part = calls, code, part
        self.failed = False

    def _change(self) -> bool:
        """Return whether this call goes through; after the first failure the disk stays full but gives up files."""
        self.left -= 1
        self.failed = self.failed or self.left < 0
        return not self.failed

    def _or_fail(self, path: object = "") -> None:
        if not self._change():
            raise OSError(self.code, os.strerror(self.code), str(path))

    def open(self, path, flags, mode=0o777):
        if flags & os.O_CREAT:
            self._or_fail(path)
        return os.open(path, flags, mode)

    def write(self, handle, content) -> int:
        if self._change():
            return os.write(handle, content)
        if (some := int(len(content) * self.part)) and self.left == -1:
            return os.write(handle, content[:some])
        raise OSError(self.code, os.strerror(self.code))

    def fsync(self, handle) -> None:
        self._or_fail()
        os.fsync(handle)

    def replace(self, source, target) -> None:
        self._or_fail(source)
        os.replace(source, target)  # noqa: PTH105 - stands in for os.replace

    def mkdir(self, path) -> None:
        self._or_fail(path)
        os.mkdir(path)  # noqa: PTH102 - stands in for os.mkdir

    unlink, close = staticmethod(os.unlink), staticmethod(os.close)


@dataclass
class Inode:
    """A file's bytes: those that an fsync has made durable, and those written since."""

    durable: bytes = b""
    volatile: bytes = b""


@dataclass
class Disk:
    """What a power loss leaves: entries of directories and bytes of files, durable or not yet.

    Pending changes of a directory may reach the disk or not, each for itself; bytes not synced may reach it in part.
    """

    root: Path
    inodes: dict[str, Inode] = field(default_factory=dict)
    entries: dict[str, dict[str, str | None]] = field(default_factory=dict)  # None: a folder
    pending: dict[str, list[tuple[tuple[str, str | None, bool], ...]]] = field(default_factory=dict)

    def after_power_loss(self, target: Path, choose: random.Random) -> None:
        """Write one state that the disk may be in now."""
        state = {directory: dict(names) for directory, names in self.entries.items()}
        for directory, changes in self.pending.items():
            here = state.setdefault(directory, {})
            for change in changes:
                if choose.random() < 0.5:
                    for name, inode, there in change:
                        here.pop(name, None)
                        if there:
                            here[name] = inode
        self._copy(state, ".", target, choose)

    def _copy(self, state, directory: str, target: Path, choose: random.Random) -> None:
        target.mkdir(parents=True, exist_ok=True)
        for name, inode in state.get(directory, {}).items():
            if inode is None:
                self._copy(state, f"{directory}/{name}", target / name, choose)
                continue
            file = self.inodes[inode]
            contents = [file.durable, file.volatile, file.volatile[: choose.randint(0, len(file.volatile))]]
            (target / name).write_bytes(file.durable if file.durable == file.volatile else choose.choice(contents))


class Recorder:
    """Works on a real directory and keeps the model of what is durable beside it; calls `after` each change."""

    def __init__(self, root: Path, after) -> None:
        self.disk, self._after, self._files = Disk(root), after, 0
        self._handles: dict[int, tuple[str, str | None]] = {}
        self._names: dict[str, str] = {}  # path -> inode

    def _place(self, path) -> tuple[str, str]:
        relative = Path(path).relative_to(self.disk.root)
        return f"./{relative.parent}" if str(relative.parent) != "." else ".", relative.name

    def _pend(self, directory: str, *change: tuple[str, str | None, bool]) -> None:
        self.disk.pending.setdefault(directory, []).append(change)

    def open(self, path, flags, mode=0o777):
        handle = os.open(path, flags, mode)
        if flags & os.O_CREAT:
            self._files += 1
            inode = str(self._files)
            self.disk.inodes[inode] = Inode()
            self._names[str(path)] = inode
            directory, name = self._place(path)
            self._pend(directory, (name, inode, True))
            self._handles[handle] = (str(path), inode)
            self._after(self.disk)
        else:
            self._handles[handle] = (str(path), None)
        return handle

    def write(self, handle, content) -> int:
        done = os.write(handle, content)
        inode = self._handles[handle][1]
        self.disk.inodes[inode].volatile += bytes(content[:done])
        self._after(self.disk)
        return done

    def fsync(self, handle) -> None:
        path, inode = self._handles[handle]
        if inode is not None:
            self.disk.inodes[inode].durable = self.disk.inodes[inode].volatile
        else:
            directory = "." if Path(path) == self.disk.root else "./" + str(Path(path).relative_to(self.disk.root))
            here = self.disk.entries.setdefault(directory, {})
            for change in self.disk.pending.pop(directory, []):
                for name, file, there in change:
                    here.pop(name, None)
                    if there:
                        here[name] = file
        self._after(self.disk)

    def replace(self, source, target) -> None:
        os.replace(source, target)  # noqa: PTH105 - stands in for os.replace
        inode = self._names[str(target)] = self._names.pop(str(source))
        directory, name = self._place(target)
        self._pend(directory, (self._place(source)[1], inode, False), (name, inode, True))
        self._after(self.disk)

    def mkdir(self, path) -> None:
        os.mkdir(path)  # noqa: PTH102 - stands in for os.mkdir
        directory, name = self._place(path)
        self._pend(directory, (name, None, True))
        self._after(self.disk)

    def unlink(self, path) -> None:
        os.unlink(path)  # noqa: PTH108 - stands in for os.unlink
        directory, name = self._place(path)
        self._pend(directory, (name, self._names.get(str(path)), False))
        self._after(self.disk)

    def close(self, handle) -> None:
        self._handles.pop(handle)
        os.close(handle)
