"""Acceptances of the virtual cohort that need many patients: a report, not a part of the suite.

python -m tests.acceptance --out DIR
"""
