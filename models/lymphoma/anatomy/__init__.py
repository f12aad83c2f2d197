"""Organ maps and what they tell: coverage, sites, reference tissues."""
