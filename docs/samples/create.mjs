// Create an invoice for the order process.argv[2] and print its id, status and payment page.
const { API_URL, ACCOUNT_ID, API_KEY } = process.env;
const order = process.argv[2];
const answer = await fetch(`${API_URL}/payment-invoices`, {
  method: "POST",
  headers: {
    Authorization: `Basic ${btoa(`${ACCOUNT_ID}:${API_KEY}`)}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    data: {
      type: "payment-invoices",
      attributes: {
        reference_id: order,
        service: "payment_card_usd_hpp",
        currency: "USD",
        amount: "12.50",
        test_mode: true,
        description: "Two coffees",
        return_url: `https://shop.example/orders/${order}`,
      },
    },
  }),
});
if (![201, 409].includes(answer.status)) {  // 409: the order has its invoice already, in data
  console.error(answer.status, await answer.text());
  process.exit(1);
}
const { data: invoice } = await answer.json();
console.log(invoice.id, invoice.attributes.status, invoice.attributes.flow_data.action);
