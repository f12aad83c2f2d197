"""Trained prognosis models: what they read, what they say of a patient, and how they are kept in a bundle."""
