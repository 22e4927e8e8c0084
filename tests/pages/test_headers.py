import pytest

from kassa.pages.headers import origin_of, security


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


def test_a_page_loads_and_sends_nothing_but_to_ourselves() -> None:
    policy = directives(security(https=True)["content-security-policy"])
    assert policy == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["'none'"],
    }


def test_only_the_named_origin_is_added_for_a_form() -> None:
    headers = security(https=False, form_targets=["https://acs.example:8443/challenge?x=1"])
    assert directives(headers["content-security-policy"])["form-action"] == ["'self'", "https://acs.example:8443"]
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "https://a.example;script-src%20*", "https://a b", "//a.example", "https://", "data:,"],
)
def test_an_address_that_could_widen_the_policy_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"not an address|Invalid"):
        origin_of(url)
