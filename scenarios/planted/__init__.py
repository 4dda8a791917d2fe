"""Planted: defects that are put into a cluster on purpose, so that it is known what each check must report."""
