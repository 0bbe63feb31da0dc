"""What is measured in a run: a file for each measure, from its rows to its figure and its words.

``catalogue`` lists them. Analysis writes the rows of each, the report shows each. Above
``reporting``, which draws, and below ``stages``, which hand over what is measured.
"""
