import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kassa.config import Settings
from kassa.errors import NotFound, SettingsWrong
from kassa.outbound import Outbound
from kassa.providers.registry import Registry

SETTINGS = Settings(bank_url="http://127.0.0.1:9")


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    async with Outbound(SETTINGS) as opened:
        yield opened


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *, code: str, target: str, source: str = "") -> None:
    """Put a package on the path as pip does: its module, and metadata with an entry point."""
    name = target.partition(":")[0]
    (folder / f"{name}.py").write_text(source)
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[kassa.providers]\n{code} = {target}\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)


async def test_the_test_provider_is_there_where_a_bank_is(outbound: Outbound) -> None:
    registry = Registry.load(SETTINGS, outbound)
    assert registry.get("test").code == "test"
    assert "test" in registry.codes()


async def test_without_a_bank_there_is_no_test_provider(outbound: Outbound) -> None:
    with pytest.raises(NotFound):
        Registry.load(Settings(), outbound).get("test")


async def test_a_code_that_nobody_has_is_not_found(outbound: Outbound) -> None:
    with pytest.raises(NotFound, match="'elsewhere'"):
        Registry.load(SETTINGS, outbound).get("elsewhere")


async def test_another_package_brings_its_own_provider(
    outbound: Outbound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "class Acme:\n    code = 'acme'\n    def receive(self, *asked): ...\n\n"
        "def provider(settings, outbound):\n    return Acme()\n"
    )
    install(tmp_path, monkeypatch, code="acme", target="acme_kassa:provider", source=source)
    registry = Registry.load(SETTINGS, outbound)
    assert registry.get("acme").code == "acme"
    assert registry.codes() == ["acme", "test"]


@pytest.mark.parametrize("target", ["broken_kassa:absent", "broken_kassa:provider.absent"])
async def test_a_provider_that_cannot_be_loaded_is_named(
    outbound: Outbound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    install(tmp_path, monkeypatch, code="broken", target=target, source="provider = None\n")
    with pytest.raises(SettingsWrong, match="'broken'"):
        Registry.load(SETTINGS, outbound)


async def test_two_packages_cannot_claim_one_code(
    outbound: Outbound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, code="test", target="impostor_kassa:provider", source="provider = print\n")
    with pytest.raises(SettingsWrong, match="'test'"):
        Registry.load(SETTINGS, outbound)
