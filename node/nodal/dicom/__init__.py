"""DICOM in and out of arrays: series to volume, SUV, contours, and a virtual patient to a valid series."""
