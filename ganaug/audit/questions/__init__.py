"""The questions of an audit, in the order of the report: one module each.

A new one is a module with a class that fulfils `ganaug.audit.results.Question`, a line in
`QUESTIONS`, and its test.
"""

from ganaug.audit.questions.balance import Balance
from ganaug.audit.questions.copying import Copying
from ganaug.audit.questions.fidelity import Fidelity
from ganaug.audit.questions.gain import Gain
from ganaug.audit.questions.groups import Groups
from ganaug.audit.questions.origin import Origin
from ganaug.audit.questions.pictures import Pictures
from ganaug.audit.questions.training import Training
from ganaug.audit.questions.usefulness import Usefulness
from ganaug.audit.questions.variety import Variety
from ganaug.audit.results import Question

__all__ = ["QUESTIONS"]

QUESTIONS: tuple[Question, ...] = (
    Gain(),
    Pictures(),
    Fidelity(),
    Variety(),
    Usefulness(),
    Copying(),
    Balance(),
    Groups(),
    Training(),
    Origin(),
)
