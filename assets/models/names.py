"""What the model and its aliases are called in the registry; here, for importing MLflow takes seconds."""

MODEL = "hourly_barrier"
CHALLENGER, CHAMPION = "challenger", "champion"
