"""Model files without pickle: skops archives whose bytes depend on the model alone, and a reader that trusts few types.

The hash is checked before a byte is parsed, every class is compared with a list of ours, and nothing else is loaded.

The champion lies in a folder: `champion.json` describes it and names its file by hash. Files stay as they are, so
that what an earlier champion said can be computed again; a new champion is a new `champion.json`, put there by rename.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from infra.errors import InputError
from infra.files import write_atomically
from infra.settings import Settings

TRUSTED = frozenset(
    {
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn.tree._tree.Tree",
    }
)
"""What our models hold beside the types that skops itself trusts: no functions, no modules, no files."""
LARGEST = 64 << 20
EPOCH = (1980, 1, 1, 0, 0, 0)


class Champion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `champion.json` says: whose probability it is, from which inputs, and what may be said of it."""

    name: str  # of the model in the registry
    version: str  # of the model in the registry
    run: str  # MLflow's run in which it was trained
    sha256: str  # of its file
    feature_version: str  # `realtime.models.features.version()` when it was trained; another one's rows do not fit it
    inputs: tuple[str, ...]  # names of its features, in the order of the columns
    slope: float  # p = 1 / (1 + exp(-(slope·logit + intercept))), logit that of the file's model
    intercept: float
    base_rate: float  # how often the outcome was 1 in what it learned from
    timeframe: str
    horizon_bars: int
    promoted_at: int
    simulated: bool  # whether it learned from simulated candles


def champion_path(config: Settings) -> Path:
    """Return where the champion's metadata lies; its file lies beside it as `{sha256}.skops`."""
    return config.data_directory / "models" / "champion.json"


def hand_over(path: Path, champion: Champion, content: bytes) -> None:
    """Make this model the champion: first its file, then the word of it. A crash in between changes nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_name(f"{champion.sha256}.skops"), content)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(champion)))


def champion(path: Path) -> Champion | None:
    """Return the champion's metadata; None where there is none yet. Raises InputError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Champion)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} cannot be read: {error}; promote a model again") from error


def digest(content: bytes) -> str:
    """Return the hash by which a model file is known."""
    return hashlib.sha256(content).hexdigest()


def dump(model: object) -> bytes:
    """Write a model; the same model gives the same bytes."""
    import skops.io  # noqa: PLC0415 - takes a second, and most processes need none

    source = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    schema = json.loads(source.read("schema.json"))
    names: dict[str, str] = {}
    numbers: dict[int, int] = {}
    text = json.dumps(_renumbered(schema, numbers, names), sort_keys=True)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("schema.json", EPOCH), text)
        for old, new in names.items():
            archive.writestr(zipfile.ZipInfo(new, EPOCH), source.read(old))
    return content.getvalue()


def _renumbered(node: Any, numbers: dict[int, int], names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_renumbered(child, numbers, names) for child in node]
    if not isinstance(node, dict):
        return node
    fields: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__":
            fields[key] = numbers.setdefault(value, len(numbers) + 1)
        elif key == "file":
            fields[key] = names.setdefault(value, f"{len(names)}.{value.rpartition('.')[2]}")
        else:
            fields[key] = _renumbered(value, numbers, names)
    return fields


def load(content: bytes, sha256: str) -> Any:
    """Read a model whose hash is known. Raises InputError before anything of a wrong file is built."""
    if digest(content) != sha256:
        raise InputError(f"the model file is not the one that was registered (SHA-256 {sha256[:12]}…)")
    import skops.io  # noqa: PLC0415 - takes a second, and most processes need none

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(file.file_size for file in archive.infolist()) > LARGEST:
                raise InputError("the model file is larger than any model of ours")
        if foreign := set(skops.io.get_untrusted_types(data=content)) - TRUSTED:
            raise InputError(f"the model file holds {', '.join(sorted(foreign))}, which is not trusted")
        return skops.io.loads(content, trusted=sorted(TRUSTED))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InputError(f"the model file cannot be read: {error}") from error
