"""REST: one table of endpoints per resource."""
