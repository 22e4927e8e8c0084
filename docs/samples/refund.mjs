// Refund process.argv[3] of the invoice process.argv[2]; process.argv[4] is your own id of the refund.
const { API_URL, ACCOUNT_ID, API_KEY } = process.env;
const [invoiceId, amount, referenceId] = process.argv.slice(2);
const answer = await fetch(`${API_URL}/payment-invoices/${invoiceId}/refund`, {
  method: "POST",
  headers: {
    Authorization: `Basic ${btoa(`${ACCOUNT_ID}:${API_KEY}`)}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({ data: { type: "refund", attributes: { reference_id: referenceId, amount } } }),
});
if (![200, 409].includes(answer.status)) {  // 409: this refund was asked for before
  console.error(answer.status, await answer.text());
  process.exit(1);
}
const { attributes } = (await answer.json()).data;
console.log(attributes.status, attributes.refunded_amount);
