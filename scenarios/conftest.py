"""Wiring: the plugins that scenarios run with, and nothing else."""

pytest_plugins = [
    "harness.pytest_plugin.plugin",
    "reports.allure.plugin",
    "reports.terminal_table",
    "reports.truth.verdict_log",
    "scenarios.generated_policies.steps",
    "scenarios.node_loss.steps",
    "scenarios.registry_cut.table",
]
