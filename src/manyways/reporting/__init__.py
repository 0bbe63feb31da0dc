"""The report: result tables in, one self-contained HTML page and a Markdown summary out.

A leaf: only ``stages.report`` imports it. It shows numbers and never computes statistics.
"""
