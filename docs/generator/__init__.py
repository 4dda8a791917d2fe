"""Generator: makes the parts of the pages that come from the code, the pictures, and the site of all pages."""
