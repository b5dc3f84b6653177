"""Numbers as tables, figures and pages; never imports a deep-learning library."""
