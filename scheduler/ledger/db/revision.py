"""The schema of this build; a module of its own, so that asking for it imports no database."""

HEAD = "first_977bbc80"
"""The newest migration. Its last part is a hash of all tables (a test says which), so that a
ledger of another development build is refused."""
