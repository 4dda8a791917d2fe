"""HTML: generates the report with Allure 3, and serves it."""
