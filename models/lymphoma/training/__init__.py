"""Training: cases, folds, the one trainer of all systems, and the bundles it makes."""
