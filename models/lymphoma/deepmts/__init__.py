"""DeepMTS and the nomogram built on it: one network that segments and predicts survival from PET/CT.

Gu, Meng, Xu, Feng, Bi, Kim and Song, Multi-task deep learning-based radiomic nomogram for prognostic prediction in
locoregionally advanced nasopharyngeal carcinoma, 2023; the network after Meng, IEEE J Biomed Health Inform
2022;26:4497. Both are of nasopharyngeal carcinoma and its primary tumour; here the whole-body lesion mask of lymphoma
takes that tumour's place.
"""
