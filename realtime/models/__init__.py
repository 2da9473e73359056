"""What a model reads and how its file is handed on."""
