"""One model a noun: its fields, JSON, CSV, table and page are all made from it."""
