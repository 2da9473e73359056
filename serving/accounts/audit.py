"""The audit log: who did what when, each row's hash over the row before it, so that no edit and no loss goes unseen."""

import hashlib
from uuid import UUID

import msgspec

from infra.clock import now
from serving.accounts.database import Row, Transaction, change, first_row, rows

CHAIN = "SELECT *, (extract(epoch FROM at) * 1000000)::bigint AS at_us FROM audit_log ORDER BY sequence"


async def note(
    transaction: Transaction, event: str, tenant: UUID | None, actor: UUID | None, **details: str | int
) -> None:
    """Append one row, in the transaction that does what the row reports."""
    head = await first_row(transaction, "SELECT sequence, hash FROM audit_head FOR UPDATE")
    assert head is not None
    sequence, at = head["sequence"] + 1, now()
    seal = sealed(head["hash"], sequence, tenant, at, event, actor, details)
    await change(
        transaction,
        "INSERT INTO audit_log (sequence, tenant_id, at, event, actor_id, details, hash) "
        "VALUES (%s, %s, to_timestamp(0) + %s * interval '1 microsecond', %s, %s, %s, %s)",
        *(sequence, tenant, at, event, actor, msgspec.json.encode(details).decode(), seal),
    )
    await change(transaction, "UPDATE audit_head SET sequence = %s, hash = %s", sequence, seal)


def sealed(
    before: bytes, sequence: int, tenant: UUID | None, at: int, event: str, actor: UUID | None, details: object
) -> bytes:
    """Return a row's hash: SHA-256 over the hash of the row before and this row's fields as sorted JSON."""
    fields = [str(tenant or ""), sequence, at, event, str(actor or ""), details]
    return hashlib.sha256(before + msgspec.json.encode(fields, order="sorted")).digest()


async def broken_at(transaction: Transaction) -> int | None:
    """Return the sequence of the first row that is not what was written, or None when the chain holds."""
    before, expected = b"", 1
    for row in await rows(transaction, CHAIN):
        if row["sequence"] != expected or row["hash"] != _seal(before, row):
            return expected
        before, expected = row["hash"], expected + 1
    head = await first_row(transaction, "SELECT sequence, hash FROM audit_head")
    intact = head is not None and (head["sequence"], head["hash"]) == (expected - 1, before)
    return None if intact else expected


def _seal(before: bytes, row: Row) -> bytes:
    return sealed(
        before, row["sequence"], row["tenant_id"], row["at_us"], row["event"], row["actor_id"], row["details"]
    )
