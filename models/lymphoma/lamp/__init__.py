"""LAMP: lesion-anatomy context fusion and attention over lesions, for the prognosis of lymphoma.

Zhang, Lymphoma Prognosis with Lesion-Anatomy Context Fusion and Attention-Based Multi-Lesion Aggregation. The features
it reads come from the lesion network (:mod:`lymphoma.segmentation`) and are frozen.
"""
