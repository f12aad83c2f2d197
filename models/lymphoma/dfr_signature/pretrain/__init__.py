"""The image network of the shipped bundle learns on virtual patients what lies in the middle of a crop.

``python -m lymphoma.dfr_signature.pretrain --out FOLDER``. It stands where ImageNet weights, which may not be shipped,
stand in the paper; crops are made by the very steps of :mod:`lymphoma.dfr_signature.inputs`.
"""
