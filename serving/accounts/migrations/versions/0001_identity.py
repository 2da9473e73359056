"""Tenants, users, sessions, signal subscriptions, plans, audit."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go forward."""
    op.execute(Path(__file__).with_suffix(".up.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Go back."""
    op.execute(Path(__file__).with_suffix(".down.sql").read_text(encoding="utf-8"))
