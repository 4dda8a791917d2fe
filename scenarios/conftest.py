"""Wiring: the plugins that scenarios run with, and nothing else."""

pytest_plugins = [
    "chaos_harness.harness.pytest_plugin.plugin",
    "chaos_harness.reports.allure.plugin",
    "chaos_harness.reports.terminal_table",
    "chaos_harness.reports.truth.verdict_log",
    "chaos_harness.scenarios.generated_policies.steps",
    "chaos_harness.scenarios.node_loss.steps",
    "chaos_harness.scenarios.registry_cut.table",
]
