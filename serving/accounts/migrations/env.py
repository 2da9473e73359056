"""What alembic runs: all steps in one transaction on the connection that `migrate.py` gives, in our own schema."""

from alembic import context

if __name__ == "env_py":  # alembic's name for this file; others only look at it
    context.configure(
        connection=context.config.attributes["connection"],
        version_table="migrations",
        version_table_schema="accounts",  # others (MLflow, Dagster) keep a version table in `public`
    )
    with context.begin_transaction():
        context.run_migrations()
