"""Planted: defects put into a cluster, so that it is known what each check must find."""
