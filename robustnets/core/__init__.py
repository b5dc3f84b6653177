"""The vocabulary: threat models, datasets, specs, seeds, Records and the store. Plain NumPy."""
