"""Why a payment did not go through, in words that help a payer; the merchant reads the exact resolution.

Where a bank suspects theft or fraud the payer is told no more than that it refused, so that nobody can test cards here.
"""

from collections.abc import Callable

Gettext = Callable[[str], str]


def reason(resolution: str, _: Gettext) -> str:
    """Return what happened and what to do about it."""
    return " ".join(_told(resolution, _))


def cause(resolution: str, _: Gettext) -> str:
    """Return what happened, for a payer who can do nothing about it any more."""
    return _told(resolution, _)[0]


def _told(resolution: str, _: Gettext) -> tuple[str, str]:
    match resolution:
        case "insufficient_funds":
            return _("There is not enough money on this card."), _("Use another card, or top it up and try again.")
        case "card_expired":
            return _("The bank says that this card has expired."), _("Use another card.")
        case "invalid_expire_date":
            return _("The bank does not recognise the expiry date."), _("Check it against your card.")
        case "invalid_cvv":
            return _("The bank does not recognise the security code."), _("Check the digits on your card.")
        case "invalid_card" | "invalid_pan" | "invalid_details" | "invalid_cardholder" | "invalid_request":
            return _("The bank does not recognise these card details."), _("Check them, or use another card.")
        case "limit_violation" | "card_usage_limit_violation" | "invalid_amount":
            return _("This payment is over a limit of your card."), _(
                "Raise the limit at your bank, or use another card."
            )
        case _ if resolution in _CONFIRMATION:
            return _("The payment was not confirmed with your bank."), _(
                "Try again and confirm it, or use another card."
            )
        case _ if resolution in _OURS:
            return _("The payment could not be completed because of a technical problem."), _("Try again in a moment.")
        case "duplicated_transaction":
            return _("The bank has seen this same payment already."), _("Check your account before you try again.")
        case _:
            return _("Your bank refused the payment without saying why."), _("Use another card, or ask your bank.")


def wallet_reason(resolution: str, _: Gettext) -> str:
    """Return what happened at a payment service's own page, where no card of ours was used and none can be tried."""
    match resolution:
        case "insufficient_funds":
            return _("There is not enough money in this wallet.")
        case "limit_violation" | "invalid_amount":
            return _("This payment is over a limit of the payment service.")
        case _ if resolution in _CONFIRMATION:
            return _("The payment was not confirmed.")
        case _ if resolution in _OURS:
            return _("The payment could not be completed because of a technical problem.")
        case _:
            return _("The payment service refused the payment without saying why.")


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
