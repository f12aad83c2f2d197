"""Lesions: connected components and their measures."""
