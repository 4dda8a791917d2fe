"""Overview: the first page of a run's report, which answers what was lost, for how long, why, and whether it is known.

`run` reads a run's directory, `effects` what each fault did to admission by its history; `page`, `markdown` and
`terminal` write the same content three times; `write` makes the files.
"""
