"""Lesion segmentation: fixed thresholds now, networks behind the same interface later."""
