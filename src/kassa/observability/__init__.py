"""What Kassa shows of itself: log lines, a line for each business event, metrics; never a card number or a key."""

from kassa.observability.context import about
from kassa.observability.logs import configure
from kassa.observability.masking import mask, mask_text

__all__ = ["about", "configure", "mask", "mask_text"]
