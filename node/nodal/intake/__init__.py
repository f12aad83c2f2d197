"""What arrives and what of it is used: the listener, the spool, Orthanc, completeness and selection."""
