"""Lake, features, backtests, risk and models: the only home of Dagster."""
