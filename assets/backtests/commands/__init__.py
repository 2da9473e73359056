"""The subcommands of backtests and what they are asked with."""
