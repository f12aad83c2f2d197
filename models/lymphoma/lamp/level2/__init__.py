"""Level 2: LAMP on features of images of virtual patients whose true risk is kept.

``python -m lymphoma.lamp.level2 --train FOLDER --test FOLDER --out FOLDER``. Times and censoring are drawn anew, many
times a mechanism; every arm learns from each draw and is held against the true risk of patients it never saw.
"""
