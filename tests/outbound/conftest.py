from tests.support.listener import listen

__all__ = ["listen"]
