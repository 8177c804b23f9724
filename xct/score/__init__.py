"""A result against the truth of a virtual cell: {metric: {value, unit, n}}."""

from xct.score.comparison import score
from xct.score.metric import score_text

__all__ = ["score", "score_text"]
