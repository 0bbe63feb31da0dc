"""Rows of the result tables: what analyse writes and the report and users read."""
