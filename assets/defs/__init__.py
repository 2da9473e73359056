"""Asset groups, one a file: thin Dagster around plain functions next door. None reads the environment on import.

Dagster keeps these files loaded in a process that runs none of the assets: what only their bodies need, they import
there. numba, scikit-learn and the kernels would cost it 250 MB.
"""
