"""The display names of an order's members, for pages that show what is wrong with one."""

from collections.abc import Mapping

from kassa.pages.reasons import Gettext

_SERVICE_FIELDS = ("service_fields.", "fields.")


def label(name: str, _: Gettext, service_fields: Mapping[str, str]) -> str:
    """Return a dotted name's display name; ``service_fields`` are the labels of the service's own fields, by key."""
    for prefix in _SERVICE_FIELDS:
        if name.startswith(prefix):
            return service_fields.get(name.removeprefix(prefix), name)
    labels = _labels(_)
    parts = name.split(".")
    known = (".".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return next((labels[member] for member in known if member in labels), name)


def _labels(_: Gettext) -> dict[str, str]:
    language, return_address = _("Language"), _("Address to return to the shop")
    return {
        "service": _("Payment method"),
        "currency": _("Currency"),
        "amount": _("Amount"),
        "reference_id": _("Order number"),
        "description": _("Description"),
        "metadata": _("The shop's own data"),
        "return_url": return_address,
        "return_urls": return_address,
        "locale": language,
        "lang": language,
        "language": language,
        "expires": _("Time to pay"),
        "customer": _("Customer"),
        "customer.reference_id": _("Customer number"),
        "customer.name": _("Your name"),
        "customer.email": _("Your email"),
        "customer.phone": _("Your phone"),
        "customer.date_of_birth": _("Your date of birth"),
        "customer.individual_tax_id": _("Your tax number"),
        "customer.address": _("Your address"),
    }
