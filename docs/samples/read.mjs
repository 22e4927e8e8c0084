// Print the id and status of the invoice of the order process.argv[2].
const { API_URL, ACCOUNT_ID, API_KEY } = process.env;
const query = new URLSearchParams({ "filter[reference_id]": process.argv[2] });
const answer = await fetch(`${API_URL}/payment-invoices?${query}`, {
  headers: { Authorization: `Basic ${btoa(`${ACCOUNT_ID}:${API_KEY}`)}` },
});
if (!answer.ok) {
  console.error(answer.status === 404 ? "This order has no invoice: it is safe to create it." : answer.status);
  process.exit(1);
}
const [invoice] = (await answer.json()).data;
console.log(invoice.id, invoice.attributes.status);
