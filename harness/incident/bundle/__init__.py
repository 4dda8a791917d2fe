"""Bundle: what a replay leaves for a colleague without a cluster: written, opened with distrust, judged again."""
