"""Asset groups, one a file: thin Dagster around plain functions next door. None reads the environment on import."""
