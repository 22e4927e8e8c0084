<?php
// Create an invoice for the order $argv[1] and print its id, status and payment page.
$order = $argv[1];
$request = curl_init(getenv('API_URL') . '/payment-invoices');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT => 30,
    CURLOPT_USERPWD => getenv('ACCOUNT_ID') . ':' . getenv('API_KEY'),
    CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
    CURLOPT_POSTFIELDS => json_encode(['data' => ['type' => 'payment-invoices', 'attributes' => [
        'reference_id' => $order,
        'service' => 'payment_card_usd_hpp',
        'currency' => 'USD',
        'amount' => '12.50',
        'test_mode' => true,
        'description' => 'Two coffees',
        'return_url' => "https://shop.example/orders/$order",
    ]]]),
]);
$answer = curl_exec($request);
$status = curl_getinfo($request, CURLINFO_RESPONSE_CODE);
if (!in_array($status, [201, 409])) {  // 409: the order has its invoice already, in data
    fwrite(STDERR, "$status $answer\n");
    exit(1);
}
$invoice = json_decode($answer, true)['data'];
echo $invoice['id'], ' ', $invoice['attributes']['status'], ' ', $invoice['attributes']['flow_data']['action'], "\n";
