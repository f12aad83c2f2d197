"""The DFR signature: deep features of the fused PET/CT of a tumour, ten of them selected, and the chance of an event.

Statements of the paper stand in ``tests/papers/dfr_signature.yaml``.
"""
