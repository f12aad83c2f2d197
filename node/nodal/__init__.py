"""Nodal: a PACS node for lymphoma. The clinical service: DICOM, the network, time and people."""

__version__ = "0.1.0"
