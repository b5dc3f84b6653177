"""Train, attack and defend neural networks in Keras 3, and say honestly what a defense is worth."""

__version__ = "0.1.0"
