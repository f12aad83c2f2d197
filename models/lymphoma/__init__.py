"""The science of the node: arrays in, numbers out. Knows no DICOM, no network and no database."""
