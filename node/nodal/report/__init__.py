"""Findings to result objects: SEG, SR, PDF and the summary image."""
