"""The studies of a cohort folder as systems look at them: read, delineated and registered as a node would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.prognosis.pooled import FeaturePooler, PooledFeatures
from lymphoma.prognosis.system import StudyArrays
from lymphoma.segmentation.contour import GivenContour
from lymphoma.segmentation.pooling import StudyPooler
from lymphoma.segmentation.way import delineate
from lymphoma.training.case import Outcome

from nodal.cohort.examine import reference_of
from nodal.cohort.folder import read_cohort
from nodal.cohort.images import StudyImages, read_images
from nodal.cohort.sources import Sources
from nodal.errors import Refused
from nodal.jobs.tools import NodeTools, open_tools
from nodal.prognosis.shelf import open_shelf
from nodal.settings import Settings

__all__ = ["CohortStudies", "Progress"]

Progress = Callable[[int, int], None]
"""Called with (studies seen, studies in all)."""


@dataclass(frozen=True, eq=False)
class CohortStudies:
    """The studies of those patients of a folder that are wanted.

    Attributes:
        folder: of the cohort. patients: those that are wanted, by content.
    """

    folder: Path
    patients: Patients
    settings: Settings
    tools: NodeTools

    @classmethod
    def open(cls, folder: Path, patients: Patients, settings: Settings) -> CohortStudies:
        """Opens the engines and networks of the settings.

        Raises:
            NotComputable: NOT_INSTALLED, ENGINE_MODEL, DEVICE_UNFIT.
        """
        return cls(folder, patients, settings, open_tools(settings, open_shelf(settings)))

    @property
    def way(self) -> str:
        """Names all that decides organs and lesions; a contour goes before it."""
        return f"{self.tools.tools.drawn_by.description}; {self.tools.content[:16]}"

    def each(
        self,
        wanted: Callable[[str], bool],
        see: Callable[[int, StudyArrays], None],
        pass_over: Callable[[str, str], None],
        progress: Progress | None = None,
    ) -> None:
        """Looks at one study after the other.

        Args:
            wanted: whether the patient of a content is to be looked at. see: takes the position among ``patients`` and
                the study. pass_over: takes content and code of one that cannot be read or judged.

        Raises:
            Refused: NO_USABLE_PATIENT: no patient has images.
        """
        cohort = read_cohort(self.folder, self.settings)
        tell = progress or (lambda done, of: None)
        place = {content: at for at, content in enumerate(self.patients.contents)}
        for done, subject in enumerate(cohort.subjects, start=1):
            at = place.get(subject.content)
            if at is not None and wanted(subject.content):
                try:
                    see(at, self._study(cohort.sources[subject.patient_id], at))
                except (NotComputable, Refused) as fault:
                    pass_over(subject.content, str(fault.code))
            tell(done, len(cohort.subjects))

    def outcomes(self, at: int) -> dict[Endpoint, Outcome | None]:
        """Of the patient at a position among ``patients``."""
        return {endpoint: self.patients.outcomes[endpoint][at] for endpoint in ENDPOINTS}

    def _study(self, sources: Sources, at: int) -> StudyArrays:
        """Lesions of the contour where there is one, else as the settings say.

        Raises:
            NotComputable: OUT_OF_DISTRIBUTION: without a contour, nothing is learned from lesions nobody would judge.
        """
        images = read_images(sources.study, self.settings)
        contour = reference_of(sources, images)[0]
        tools = self.tools.tools
        if contour is not None:
            given = GivenContour(contour, "the cohort's contour")
            tools = replace(tools, drawn_by=given, plain=given)
        done = delineate(images.suv, images.ct_hu, tools)
        if contour is None and done.verdict is not None and done.verdict.range == "outside":
            raise NotComputable("OUT_OF_DISTRIBUTION", "the scan is unlike those that the networks learned from")
        drawn = done.delineation
        return StudyArrays(
            images.suv,
            images.ct_hu,
            drawn.lesion_map if contour is None else contour,
            done.anatomy,
            self.patients.clinical[at],
            self.patients.pet[at],
            self._pooler(images, done.anatomy, drawn.pooled),
            None if contour is not None else drawn.accepted,
        )

    def _pooler(self, images: StudyImages, anatomy: Anatomy, known: PooledFeatures | None) -> FeaturePooler | None:
        network = self.tools.network
        return None if network is None else _LatePooler(network.digest, self.tools, images, anatomy, known)


@dataclass(frozen=True, eq=False)
class _LatePooler:
    """Cuts the study for the lesion network when it is first asked, as not every system asks."""

    network: str
    tools: NodeTools
    images: StudyImages
    anatomy: Anatomy
    known: PooledFeatures | None

    def pool(self, lesion_map: Volume) -> PooledFeatures:
        """As :class:`lymphoma.segmentation.pooling.StudyPooler`."""
        network = self.tools.network
        if network is None:
            raise NotComputable("NOT_INSTALLED", "no lesion network is installed")
        crop = network.crop(self.images.suv, self.images.ct_hu)
        return StudyPooler(network, crop, self.anatomy, self.known).pool(lesion_map)
