"""The database: engine, snapshots, bulk statements, the write queue, the write-ahead log."""
