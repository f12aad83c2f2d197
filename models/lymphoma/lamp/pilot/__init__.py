"""The L1 pilot: what LAMP's head can learn, on thousands of virtual patients at feature level.

``python -m lymphoma.lamp.pilot --out FOLDER`` trains the arms of :mod:`lymphoma.lamp.arms` where the mechanism of the
risk is known, one file a run, and goes on where it was stopped.
"""
