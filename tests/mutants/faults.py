"""Deliberate faults, each of which has to turn a test red: the checks on the checkers (``make mutants``)."""

from typing import Final

import msgspec

MIGRATIONS: Final = "src/kassa/db/migrations"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake that somebody could make."""

    name: str
    file: str
    old: str
    """What stands in the file, exactly once."""
    new: str
    red: str
    """The test that has to notice."""


FAULTS: Final = (
    # Taking money once (P1) -------------------------------------------------------------------------------------------
    Fault(
        name="the index of one live attempt is not unique",
        file=f"{MIGRATIONS}/0004_payments.sql",
        old="CREATE UNIQUE INDEX payments_one_live",
        new="CREATE INDEX payments_one_live",
        red="tests/invoices/test_database.py::test_an_invoice_has_one_payment_under_way",
    ),
    Fault(
        name="a reference_id may be used twice",
        file=f"{MIGRATIONS}/0003_invoices.sql",
        old="    CONSTRAINT invoices_reference UNIQUE (account_id, test_mode, reference_id),\n",
        new="",
        red="tests/invoices/test_database.py::test_a_reference_is_used_once_in_an_account_and_mode",
    ),
    Fault(
        name="a payment without an answer is asked for again",
        file="src/kassa/cardgate/charge.py",
        old="        return Pending()",
        new="        return await platform.providers.get(route.provider).pay(route.credentials, order, card)",
        red="tests/invoices/test_operations.py"
        "::test_an_answer_that_was_lost_is_found_by_asking_and_never_by_charging_again",
    ),
    Fault(
        name="a tab that is out of date cancels the next attempt",
        file="src/kassa/cardgate/charge.py",
        old=" and session.cancellable and payment.attempt_number == number:",
        new=" and session.cancellable:",
        red="tests/invoices/test_cancelling.py::test_a_stale_tab_does_not_cancel_the_next_attempt",
    ),
    Fault(
        name="an answer that was lost counts as a payment that was closed",
        file="src/kassa/invoices/operations/cancel.py",
        old="        outcome = Pending()",
        new="        from kassa.providers.protocol import Declined\n\n"
        '        outcome = Declined(external_id=None, resolution="client_auth_failed")',
        red="tests/invoices/test_cancelling.py::test_a_cancellation_that_never_arrived_leaves_the_challenge_open",
    ),
    Fault(
        name="another card is thrown away without a word",
        file="src/kassa/cardgate/app.py",
        old="not form.same_card(entry, card)",
        new="False",
        red="tests/cardgate/test_giving_up.py::test_a_second_click_with_the_same_card_goes_on_to_the_bank",
    ),
    Fault(
        name="the client sends a request again whose connection broke",
        file="src/kassa/outbound/dialing.py",
        old="        middlewares=(_once,),\n",
        new="",
        red="tests/outbound/test_client.py::test_a_request_whose_connection_breaks_is_never_sent_again",
    ),
    Fault(
        name="what lost a deadlock is not done again",
        file="src/kassa/db/pool.py",
        old="_UNDONE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)",
        new="_UNDONE = (asyncpg.SerializationError,)",
        red="tests/invoices/test_deadlock.py"
        "::test_an_answer_whose_transaction_was_the_deadlocks_victim_is_applied_all_the_same",
    ),
    Fault(
        name="never heard of it is believed at once",
        file="src/kassa/invoices/rules/attempt.py",
        old=" or now < payment.created_at + ABSENT_AFTER",
        new="",
        red="tests/invoices/rules/test_attempt.py::test_a_provider_that_never_heard_of_it_is_believed_only_when_the_request_cannot_be_on_its_way",
    ),
    Fault(
        name="never heard of it is believed though the question was early",
        file="src/kassa/invoices/rules/patience.py",
        old="return Pending() if early else outcome",
        new="return outcome if early else outcome",
        red="tests/invoices/test_given_up.py::test_never_heard_of_it_is_not_believed_where_the_answer_took_longer_than_the_payment",
    ),
    Fault(
        name="a process that stood still asks for what others have given up",
        file="src/kassa/invoices/rules/patience.py",
        old="return now <= begun_at + POLL_AFTER_BEGIN",
        new="return begun_at <= now",
        red="tests/invoices/returns/test_refunds.py::test_a_process_that_stood_still_does_not_send_a_refund_that_others_have_given_up",
    ),
    Fault(
        name="an Idempotency-Key stands for any body",
        file="src/kassa/idempotency/model.py",
        old="(method.encode(), path.encode(), body)",
        new="(method.encode(), path.encode())",
        red="tests/idempotency/test_model.py::test_a_request_is_recognised_by_its_method_its_address_and_its_bytes",
    ),
    # Losing nothing (P2, P6, P7) --------------------------------------------------------------------------------------
    Fault(
        name="the success of an attempt that had failed is dropped",
        file="src/kassa/invoices/rules/settling.py",
        old="    if payment.status not in UNDECIDED | FAILED:\n",
        new="    if payment.status not in UNDECIDED:\n",
        red="tests/stories/test_denied.py",
    ),
    Fault(
        name="a change is written over another that came first",
        file="src/kassa/invoices/tables/carrying.py",
        old="    _write_event(statement, change)\n    return",
        new="    return",
        red="tests/stories/test_machine.py",
    ),
    Fault(
        name="an invoice ends before its time",
        file="src/kassa/invoices/rules/invoice.py",
        old="    if now < invoice.expires_at:\n",
        new="    if now < invoice.created_at:\n",
        red="tests/invoices/rules/test_invoice.py::test_expiry_waits_for_its_time_and_shows_as_failed",
    ),
    Fault(
        name="a change of status is not notified of",
        file="src/kassa/invoices/operations/notifying.py",
        old="or not (change.notify or change.status_changed)",
        new="or not change.notify",
        red="tests/stories/test_denied.py",
    ),
    Fault(
        name="a callback is not written with its change",
        file="src/kassa/invoices/tables/carrying.py",
        old="        callbacks.add(statement, callback)\n",
        new="        pass\n",
        red="tests/stories/test_denied.py",
    ),
    Fault(
        name="a claimed callback stays due",
        file="src/kassa/work/queries.py",
        old="AS taken SET {queue.due} = $4{counted}",
        new="AS taken SET {queue.due} = least(taken.{queue.due}, $4){counted}",
        red="tests/callbacks/test_operations.py::test_parallel_claims_share_the_work_without_an_overlap",
    ),
    # Counting and booking (P4, P5) ------------------------------------------------------------------------------------
    Fault(
        name="what went back otherwise than asked stays pending though a person has settled it",
        file="src/kassa/invoices/operations/review.py",
        old="    for each in wrong:\n",
        new="    for each in wrong[:0]:\n",
        red="tests/moderation/test_settling.py::test_a_refund_is_booked_as_the_provider_made_it",
    ),
    Fault(
        name="a dispute of money that is not the merchant's is not booked",
        file="src/kassa/invoices/rules/dispute.py",
        old="        entries=(booking.disputed(booked),),\n    )",
        new="    )",
        red="tests/simulation/test_orders.py::test_a_dispute_of_money_that_came_too_late_is_booked",
    ),
    Fault(
        name="of disputes that are heard of together one is applied",
        file="src/kassa/invoices/operations/dispute.py",
        old="        snapshot = after\n    raise",
        new="        return after\n    raise",
        red="tests/invoices/returns/test_disputes.py::test_several_that_are_heard_of_together_cost_a_fee_and_are_told_each",
    ),
    Fault(
        name="amounts go through floats",
        file="src/kassa/money.py",
        old="amount.as_integer_ratio()",
        new="float(amount).as_integer_ratio()",
        red="tests/test_money.py::test_an_amount_is_whole_minor_units",
    ),
    Fault(
        name="half a unit of a fee is rounded up",
        file="src/kassa/fees/model.py",
        old="max(round(exact), tariff.fee_min)",
        new="max(int(exact + Fraction(1, 2)), tariff.fee_min)",
        red="tests/fees/test_model.py::test_half_a_unit_of_the_currency_goes_to_the_even_one",
    ),
    Fault(
        name="more is held back than the merchant gets",
        file="src/kassa/fees/model.py",
        old="return min(round(Fraction(amount) * Fraction(rate) / 100), deposit)",
        new="return round(Fraction(amount) * Fraction(rate) / 100)",
        red="tests/fees/test_model.py::test_a_reserve_is_the_exact_share_rounded_once_and_no_more_than_the_deposit",
    ),
    Fault(
        name="a settled payment is not booked",
        file="src/kassa/invoices/rules/settling.py",
        old="    entries = booking.taken(invoice, after) if after.status in attempt.TAKEN else ()\n",
        new="    entries = ()\n",
        red="tests/stories/test_denied.py",
    ),
    Fault(
        name="the chain says nothing of amounts",
        file="src/kassa/ledger/chain.py",
        old="        move.amount,\n",
        new="",
        red="tests/ledger/test_verification.py::test_a_changed_row_is_named_whatever_was_changed",
    ),
    Fault(
        name="the application may change what is booked",
        file=f"{MIGRATIONS}/0006_ledger.sql",
        old="GRANT SELECT, INSERT ON ledger_transfers, ledger_journal TO kassa_app",
        new="GRANT SELECT, INSERT, UPDATE ON ledger_transfers, ledger_journal TO kassa_app",
        red="tests/ledger/test_books.py::test_the_application_cannot_change_what_is_written",
    ),
    Fault(
        name="a refund without an answer is asked for again",
        file="src/kassa/invoices/operations/refund.py",
        old="provider.status(*about)",
        new="provider.refund(*about)",
        red="tests/invoices/returns/test_refunds.py::test_a_refund_whose_answer_is_lost_is_asked_about_and_never_sent_twice",
    ),
    Fault(
        name="more is refunded than was taken",
        file="src/kassa/invoices/rules/refundable.py",
        old="if minor > most:",
        new="if minor > most + money.AMOUNT_MAX:",
        red="tests/invoices/rules/test_refundable.py::test_what_is_asked_for_is_the_rest_or_a_part_of_it",
    ),
    # Whose it is (P9) -------------------------------------------------------------------------------------------------
    Fault(
        name="a statement forgets its account",
        file="src/kassa/invoices/tables/payments.py",
        old='FROM payments p WHERE p.account_id = $1 AND p.payment_id = $2"',
        new="FROM payments p WHERE $1 <> '' AND p.payment_id = $2\"",
        red="tests/tooling/test_queries.py",
    ),
    Fault(
        name="tables are without row-level security",
        file=f"{MIGRATIONS}/0003_invoices.sql",
        old="        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);\n",
        new="",
        red="tests/invoices/test_database.py::test_a_statement_that_forgot_its_account_shows_no_others_rows",
    ),
    Fault(
        name="a view sees every account",
        file="src/kassa/db/view.py",
        old='ROLE: Final = "kassa_view"',
        new='ROLE: Final = "kassa_app"',
        red="tests/invoices/test_listing_plans.py"
        "::test_a_view_shows_one_accounts_rows_to_a_statement_that_forgot_to_name_it",
    ),
    Fault(
        name="an invoice is found by its name in either mode",
        file="src/kassa/invoices/tables/snapshots.py",
        old="AND i.test_mode = $2 AND i.reference_id = $3",
        new="AND $2::boolean IS NOT NULL AND i.reference_id = $3",
        red="tests/api/test_modes.py::test_each_mode_has_reference_ids_of_its_own",
    ),
    # Who may ask, and what is told (P10) ------------------------------------------------------------------------------
    Fault(
        name="API keys are compared with ==",
        file="src/kassa/accounts/directory.py",
        old="hmac.compare_digest(shown, digest)",
        new="shown == digest",
        red="tests/tooling/test_secrets.py",
    ),
    Fault(
        name="a notification's signature is compared with !=",
        file="src/kassa/providers/test/notices.py",
        old='not hmac.compare_digest(plain.get("bank-signature", "").encode(), right.encode())',
        new='plain.get("bank-signature", "") != right',
        red="tests/tooling/test_secrets.py",
    ),
    Fault(
        name="an old notification is believed",
        file="src/kassa/providers/test/notices.py",
        old="> TOLERANCE_SECONDS",
        new="> 1000 * TOLERANCE_SECONDS",
        red="tests/providers/test_test_provider.py::test_a_notice_is_believed_for_five_minutes",
    ),
    Fault(
        name="a token may name its own algorithm",
        file="src/kassa/tokens.py",
        old="if name not in (self.allowed or ()):",
        new="if name not in self.algorithms:",
        red="tests/test_tokens.py::test_what_another_key_another_algorithm_or_nobody_signed_is_refused",
    ),
    Fault(
        name="a card prints its number",
        file="src/kassa/providers/protocol.py",
        old='return "Card(…)"',
        new='return f"Card({self.number})"',
        red="tests/cardgate/test_form.py::test_nothing_of_a_card_shows_when_the_entry_is_printed",
    ),
    Fault(
        name="pages do not escape",
        file="src/kassa/pages/templates.py",
        old="autoescape=True",
        new="autoescape=False",
        red="tests/cardgate/test_views.py::test_what_the_merchant_writes_cannot_become_markup",
    ),
    Fault(
        name="a body may be of any size",
        file="src/kassa/jsonapi/body.py",
        old="SIZE_MAX: Final = 64 * 1024",
        new="SIZE_MAX: Final = 64 * 1024 * 1024",
        red="tests/api/test_hostile.py::test_every_hostile_body_is_refused_and_writes_nothing",
    ),
    # The way out ------------------------------------------------------------------------------------------------------
    Fault(
        name="redirects are followed",
        file="src/kassa/outbound/client.py",
        old="allow_redirects=False",
        new="allow_redirects=True",
        red="tests/outbound/test_guard.py::test_a_redirect_is_an_answer_and_is_not_followed",
    ),
    Fault(
        name="clouds' metadata may be asked for",
        file="src/kassa/outbound/addresses.py",
        old='        "169.254.0.0/16",  # link-local, and clouds\' metadata\n',
        new="",
        red="tests/outbound/test_addresses.py::test_an_address_with_a_special_purpose_is_not_public",
    ),
    Fault(
        name="the addresses of a name are not checked",
        file="src/kassa/outbound/dialing.py",
        old="            _check(address, port, self._permits)\n",
        new="            pass\n",
        red="tests/outbound/test_guard.py::test_a_name_with_one_inner_address_among_others_is_refused",
    ),
    Fault(
        name="the address that is connected to is not checked",
        file="src/kassa/outbound/dialing.py",
        old="    _check(str(address[0]), int(address[1]), permits)\n",
        new="",
        red="tests/outbound/test_guard.py::test_no_spelling_of_an_inner_address_is_connected_to",
    ),
    Fault(
        name="the name is connected to instead of the address that was checked",
        file="src/kassa/outbound/dialing.py",
        old="        host=address,\n",
        new="        host=host,\n",
        red="tests/outbound/test_guard.py"
        "::test_a_name_that_changes_its_address_is_checked_on_each_request_and_asked_once",
    ),
    Fault(
        name="any certificate is taken",
        file="src/kassa/outbound/dialing.py",
        old="ssl.create_default_context()",
        new="ssl._create_unverified_context()",
        red="tests/outbound/test_client.py::test_a_certificate_that_proves_nothing_is_refused",
    ),
    Fault(
        name="answers are decompressed",
        file="src/kassa/outbound/dialing.py",
        old="auto_decompress=False",
        new="auto_decompress=True",
        red="tests/outbound/test_client.py::test_a_compressed_bomb_stays_compressed",
    ),
    Fault(
        name="an answer may be of any size",
        file="src/kassa/outbound/client.py",
        old="if len(content) > most:",
        new="if len(content) > 1024 * most:",
        red="tests/outbound/test_client.py::test_an_answer_of_64_kib_is_whole_and_one_byte_more_is_too_large",
    ),
    Fault(
        name="what was refused is not polled for once more",
        file="src/kassa/invoices/rules/attempt.py",
        old=" or recheck_at(payment.updated_at, now=now)",
        new="",
        red="tests/simulation/test_orders.py::test_a_decline_that_is_said_again_is_still_polled_for_ten_minutes_later",
    ),
    Fault(
        name="a refund that is done is undone by an older answer",
        file="src/kassa/invoices/rules/refund.py",
        old="case Declined() if asked is RefundStatus.REFUNDED:",
        new="case Declined():",
        red="tests/simulation/test_orders.py::test_a_refund_that_is_done_stays_so_when_an_older_answer_comes_last",
    ),
    Fault(
        name="a dispute that was won costs the merchant its money",
        file="src/kassa/invoices/rules/dispute.py",
        old="not current.booked and current.counts and",
        new="not current.booked and",
        red="tests/simulation/test_orders.py::test_a_dispute_that_is_won_while_its_payment_is_held_costs_nothing",
    ),
)
