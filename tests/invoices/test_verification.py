"""A card that is only checked, on a real database and with the real bank."""

from tests.support.world import BAD, Changes, World


async def test_a_verification_takes_nothing(world: World) -> None:
    account = await world.account()
    before = len(await world.statement())
    invoice = await world.invoice(account, flow="verify")
    await world.pay(invoice)
    assert await world.changes(invoice) == Changes(status="verified", resolution="ok", attempts=["processed"])
    assert (await world.view(invoice)).invoice.processed_amount is None
    assert len(await world.statement()) == before
    failing = await world.invoice(account, flow="verify", gateway_options={"cardgate": {"retry_limit": 1}})
    await world.pay(failing, card=BAD)
    assert (await world.changes(failing)).status == "verify_failed"
