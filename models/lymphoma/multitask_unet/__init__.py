"""The multi-task U-Net: lesions and the chance of an event within two years from one FDG PET.

Liu, Zhang, Gao, Li and Zheng, Joint Lymphoma Lesion Segmentation and Prognosis Prediction From Baseline FDG-PET Images
via Multitask Convolutional Neural Networks, IEEE Access 2022;10:81612.
"""
