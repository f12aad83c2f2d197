"""The paper's tables on slabs of virtual patients of two centres, whose true risk is known.

``python -m lymphoma.dfr_signature.study --out FOLDER --patients 2000 --page docs/dfr-study.md``. Signatures learn at
one centre; they are judged there by folds, and at the other, whose scanner differs, as they are.
"""
