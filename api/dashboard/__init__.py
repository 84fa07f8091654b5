"""The pages: Jinja templates, no script and no address from elsewhere."""
