"""HTML: the report that Allure 3 makes of the results, and how it is shown."""
