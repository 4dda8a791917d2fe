"""Plugins that all scenarios run with; the fixtures of one theme are in the conftest of its folder.

Pytest takes options from here only, not from the conftest of a folder below.
"""

pytest_plugins = [
    "chaos_harness.harness.pytest_plugin.plugin",
    "chaos_harness.reports.allure.plugin",
    "chaos_harness.reports.terminal_table",
    "chaos_harness.reports.truth.verdict_log",
    "chaos_harness.scenarios.generated_policies.options",
]
