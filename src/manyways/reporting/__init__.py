"""Charts and the template of the report."""
