<?php
// Print the id and status of the invoice of the order $argv[1].
$query = http_build_query(['filter' => ['reference_id' => $argv[1]]]);
$request = curl_init(getenv('API_URL') . "/payment-invoices?$query");
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT => 30,
    CURLOPT_USERPWD => getenv('ACCOUNT_ID') . ':' . getenv('API_KEY'),
]);
$answer = curl_exec($request);
$status = curl_getinfo($request, CURLINFO_RESPONSE_CODE);
if ($status !== 200) {
    fwrite(STDERR, $status === 404 ? "This order has no invoice: it is safe to create it.\n" : "$status $answer\n");
    exit(1);
}
[$invoice] = json_decode($answer, true)['data'];
echo $invoice['id'], ' ', $invoice['attributes']['status'], "\n";
