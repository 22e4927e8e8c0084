"""The statuses that the contract lists, as documents show them; not all of them are ever reached."""

from enum import StrEnum


class Status(StrEnum):
    """The status of an invoice. Three of the contract's are never reached: processing, expired and terminated.

    See contract#statuses.
    """

    CREATED = "created"
    EXPIRED = "expired"
    TERMINATED = "terminated"
    PROCESSING = "processing"
    PROCESS_PENDING = "process_pending"
    PROCESS_ERROR = "process_error"
    PROCESSED = "processed"
    PARTIALLY_PROCESSED = "partially_processed"
    PROCESS_FAILED = "process_failed"
    VERIFIED = "verified"
    VERIFY_FAILED = "verify_failed"
    REFUNDING = "refunding"
    REFUND_PENDING = "refund_pending"
    REFUND_ERROR = "refund_error"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    CHARGED_BACK = "charged_back"
    PARTIALLY_CHARGED_BACK = "partially_charged_back"


class PaymentStatus(StrEnum):
    """The status of an attempt; ``refund_…`` says what becomes of money that is not the merchant's.

    See contract#statuses.
    """

    CREATED = "created"
    INVOKE_PENDING = "invoke_pending"
    INVOKE_FAILED = "invoke_failed"
    INVOKED = "invoked"
    PROCESS_PENDING = "process_pending"
    PROCESS_FAILED = "process_failed"
    PROCESS_ERROR = "process_error"
    PROCESSED = "processed"
    REFUND_PENDING = "refund_pending"
    REFUND_FAILED = "refund_failed"
    REFUND_ERROR = "refund_error"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged_back"
