"""A second generator of virtual patients, for tests only.

It shares no sampling code and no shape family with the generator that trains the networks: lofted cross-sections
bent by a B-spline field instead of solids; gamma, log-logistic and Student draws; first-passage growth, spherical
harmonics and level sets for lesions; a two-part point spread with Butterworth-filtered counts; other confusers. What is
learned there is judged here.

Its limits, all [A]: the organs' places are one standard anatomy, bent; there is no attenuation or scatter physics;
breathing moves the CT against the PET but does not smear the PET; a lesion displaces nothing.
"""

from tests.generator_b.patient import FAULTS, GENERATOR, Fault, PatientB, build, spoilt

__all__ = ["FAULTS", "GENERATOR", "Fault", "PatientB", "build", "spoilt"]
