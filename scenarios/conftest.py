"""Wiring: the plugins that scenarios run with, and nothing else."""

pytest_plugins = [
    "harness.plugin",
    "reports.allure",
    "reports.summary",
    "reports.verdicts",
    "scenarios.generated",
    "scenarios.losing",
    "scenarios.matrix",
]
