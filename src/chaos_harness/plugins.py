"""Plugins: what pytest loads for a session with scenarios; this module is none itself, and imports none."""

__all__ = ["PLUGINS"]

PLUGINS = (
    "chaos_harness.harness.pytest_plugin.plugin",
    "chaos_harness.reports.allure.plugin",
    "chaos_harness.reports.terminal_table",
    "chaos_harness.reports.truth.verdict_log",
)
"""The plugins of scenarios, by their modules."""
