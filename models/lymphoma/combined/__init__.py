"""Several systems and the IMPI as one score, with a model of survival for every set of them that a patient may have."""

COMBINED = "combined"
"""The name of such a bundle's system; it reads other systems' linear predictors, no image."""
