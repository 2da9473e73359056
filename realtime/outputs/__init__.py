"""The contract that serving, the lake and assets read: names, messages, stored rows and documents."""
