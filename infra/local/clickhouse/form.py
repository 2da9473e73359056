"""A `multipart/form-data` body: query and parameters too long for a URL, and tables that live for one query."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message

from infra.local.clickhouse import errors

LONGEST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class External:
    """A temporary table sent along: its columns in SQL and its rows in a format."""

    name: str
    structure: str
    format: str
    rows: bytes


@dataclass(frozen=True)
class Form:
    """The fields of the form, and its files by field name."""

    fields: Mapping[str, str]
    files: Mapping[str, bytes]

    def tables(self, parameters: Mapping[str, str]) -> tuple[list[External], dict[str, str]]:
        """Make a table of each file with the parameters `NAME_structure` or `NAME_types`, and `NAME_format`.

        Also return the parameters that are left.
        """
        left = {**parameters, **self.fields}
        tables = []
        for name, rows in self.files.items():
            structure, types = left.pop(f"{name}_structure", ""), left.pop(f"{name}_types", "")
            if not structure and types:
                structure = ", ".join(f"_{place} {column}" for place, column in enumerate(types.split(","), 1))
            if not structure:
                raise errors.refusal(
                    errors.BAD_ARGUMENTS, f"Neither structure nor types of external table {name[:60]!r}"
                )
            tables.append(External(name, structure, left.pop(f"{name}_format", "TabSeparated"), rows))
        return tables, left


def parse(content_type: str, body: bytes) -> Form:
    r"""Take a form apart. Raises ClickHouseError (36) when it is malformed.

    >>> part = b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1\r\n--x--\r\n'
    >>> parse("multipart/form-data; boundary=x", part).fields
    {'query': 'SELECT 1'}
    """
    boundary = _parameter("content-type", content_type, "boundary")
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if not boundary or not parts or not parts[-1].startswith(b"--"):
        raise errors.refusal(errors.BAD_ARGUMENTS, "The multipart form has no boundary or no end")
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in parts[:-1]:
        head, blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        disposition = _disposition(head)
        name = _parameter("content-disposition", disposition, "name")
        if not blank or not name:
            raise errors.refusal(errors.BAD_ARGUMENTS, "A part of the multipart form has no name")
        if _parameter("content-disposition", disposition, "filename"):
            files[name] = content
        else:
            fields[name] = _text(content)
    return Form(fields, files)


def _disposition(head: bytes) -> str:
    for line in head.decode(errors="replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            return value.strip()
    return ""


def _parameter(header: str, value: str, name: str) -> str:
    message = Message()
    message[header] = value
    return str(message.get_param(name, "", header=header))


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise errors.refusal(errors.BAD_ARGUMENTS, f"A field of the form is not UTF-8: {error}") from error
