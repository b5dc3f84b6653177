"""What several chapters share: networks, sources, and the sentences of their pages."""
