"""Why a payment failed, in sentences that help a payer; the merchant reads the exact resolution.

Where a bank suspects theft or fraud the payer only reads that it declined, so that cards cannot be tested here.
"""

from collections.abc import Callable

Gettext = Callable[[str], str]


def reason(resolution: str, _: Gettext) -> str:
    """Return what happened and what to do about it."""
    return " ".join(_cause_and_advice(resolution, _))


def cause(resolution: str, _: Gettext) -> str:
    """Return what happened, for a payer who can do nothing about it."""
    return _cause_and_advice(resolution, _)[0]


def _cause_and_advice(resolution: str, _: Gettext) -> tuple[str, str]:
    match resolution:
        case "insufficient_funds":
            return _("Your card has insufficient funds."), _("Try another card, or top this one up and try again.")
        case "card_expired":
            return _("Your bank says that this card has expired."), _("Try another card.")
        case "invalid_expire_date":
            return _("The expiry date is incorrect."), _("Check it against your card.")
        case "invalid_cvv":
            return _("The security code is incorrect."), _("Check the digits on your card.")
        case "invalid_card" | "invalid_pan" | "invalid_details" | "invalid_cardholder" | "invalid_request":
            return _("The card details are incorrect."), _("Check them, or try another card.")
        case "limit_violation" | "card_usage_limit_violation" | "invalid_amount":
            return _("This payment exceeds a limit on your card."), _(
                "Ask your bank to raise the limit, or try another card."
            )
        case _ if resolution in _CONFIRMATION:
            return _("You didn't confirm the payment with your bank."), _(
                "Pay again and confirm it, or try another card."
            )
        case _ if resolution in _OURS:
            return _("The payment couldn't be completed because of a technical problem."), _("Try again in a moment.")
        case "duplicated_transaction":
            return _("Your bank has already had this same payment."), _("Check your account before you try again.")
        case _:
            return _("Your bank declined the payment and gave no reason."), _("Try another card or contact your bank.")


def wallet_reason(resolution: str, _: Gettext) -> str:
    """Return what happened at a payment service's own page, where no card was entered here."""
    match resolution:
        case "insufficient_funds":
            return _("Your wallet has insufficient funds.")
        case "limit_violation" | "invalid_amount":
            return _("This payment exceeds a limit of the payment service.")
        case _ if resolution in _CONFIRMATION:
            return _("You didn't confirm the payment.")
        case _ if resolution in _OURS:
            return _("The payment couldn't be completed because of a technical problem.")
        case _:
            return _("The payment service declined the payment and gave no reason.")


_CONFIRMATION = {
    "auth_3ds_required",
    "auth_otp_required",
    "auth_fatal_error",
    "card_3ds_enrolled",
    "card_not_3ds_enrolled",
    "card_is_3ds_enrolled",
    "card_is_not_3ds_enrolled",
    "unable_to_determine_3ds_enrolment",
    "client_auth_failed",
    "card_verification_failed",
    "invalid_3ds_code",
    "invalid_otp",
    "invalid_otp_code",
    "invalid_pin",
    "transaction_expired",
}
_OURS = {
    "error",
    "provider_error",
    "provider_fatal_error",
    "routing_error",
    "unknown",
    "unable_to_reconcile",
    "invalid_credentials",
}
