"""The page a person reads after a decision: one HTML file, plots inside, nothing fetched.

Put here: words, plots and the page, from frames and facts that somebody else read. Keep out: reading the lake or the
plans; any number that is not in the input.
"""
