"""The HTTP face of the node."""
