"""Virtual patients: PET, CT and lesions with a known truth."""
