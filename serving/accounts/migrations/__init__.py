"""The schema `accounts`, in steps that go forward and back; `migrate.py` applies them at every start."""
