"""What people call the members of an order, for pages that say what is wrong with one."""

from collections.abc import Mapping

from kassa.pages.reasons import Gettext

_SERVICE_FIELDS = ("service_fields.", "fields.")


def told(name: str, _: Gettext, service_fields: Mapping[str, str]) -> str:
    """Return the words for a dotted name; ``service_fields`` are the labels of the service's own fields by key."""
    for prefix in _SERVICE_FIELDS:
        if name.startswith(prefix):
            return service_fields.get(name.removeprefix(prefix), name)
    words = _words(_)
    parts = name.split(".")
    known = (".".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return next((words[member] for member in known if member in words), name)


def _words(_: Gettext) -> dict[str, str]:
    language, way_back = _("Language"), _("Address to return to the shop")
    return {
        "service": _("Payment method"),
        "currency": _("Currency"),
        "amount": _("Amount"),
        "reference_id": _("Order number"),
        "description": _("Description"),
        "metadata": _("The shop's own data"),
        "return_url": way_back,
        "return_urls": way_back,
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
