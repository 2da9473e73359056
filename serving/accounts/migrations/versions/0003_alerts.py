"""Alerts, what they have told, and where it goes."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Go forward."""
    op.execute(Path(__file__).with_suffix(".up.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Go back."""
    op.execute(Path(__file__).with_suffix(".down.sql").read_text(encoding="utf-8"))
