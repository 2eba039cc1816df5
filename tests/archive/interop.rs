//! The reader in Python.
