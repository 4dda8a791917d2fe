"""Allure: a run's records as Allure results, with steps, attachments, categories and figures."""
