"""The clinical record: what each source says of a patient, put together without hiding that they differ."""
