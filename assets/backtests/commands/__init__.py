"""The subcommands `cap backtest`, `cap sweep` and `cap walk-forward`."""
