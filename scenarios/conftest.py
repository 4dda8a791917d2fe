"""Wiring: the plugins that scenarios run with, and nothing else."""

pytest_plugins = [
    "harness.plugin",
    "reports.allure.plugin",
    "reports.terminal_table",
    "reports.truth.verdict_log",
    "scenarios.generated",
    "scenarios.losing",
    "scenarios.matrix",
]
