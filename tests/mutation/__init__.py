"""Mutation: small mistakes put into the sources, one at a time; a test must find each of them.

`python -m tests.mutation --package undo --store FILE` tries what FILE has not of the same sources and tests, and prints
what nobody finds. survivors.md has those that are left, each with the reason.

Why not mutmut 3.8: it leaves out decorated functions, as every undo is one, and everything outside functions, as the
tables by which secrets are recognised; it names modules by their path, which here leads through links.
Why not cosmic-ray 8.7: it deletes no statement and no part of a table, as a forgotten `fsync` or the name of a secret,
and starts Python once for each mutant: 3 s of processor, where a forked process takes a fifth.
"""
