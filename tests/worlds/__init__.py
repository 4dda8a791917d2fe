"""Worlds whose truth is known: it is drawn first, from a seed, then what is seen of it, as a history of today.

Nothing here but `judging` knows a check, and nothing reads a history: `stage` holds what there was, `hiding` what of
it is not seen, `eyes` writes the history that probes would have written. A module of truths for each theme draws a
claim with its world and says what is true of it; `truths` names them all, `scoring` counts, `metamorphic` hides more.
`mutated` makes checks wrong on purpose, `taken_back` puts the mistakes back that a review found in them.
`python -m tests.worlds --help` shows how to run them.
"""
