"""What each paper says, where it stands in the code, and which test holds it there; ``docs/papers.md`` is made of it.

``<paper>.yaml`` lists the statements; a test claims one with ``@pytest.mark.paper("lamp-eq3")``.
"""

from tests.papers.statements import Paper, Statement, read_papers, statements_tested
from tests.papers.table import table

__all__ = ["Paper", "Statement", "read_papers", "statements_tested", "table"]
