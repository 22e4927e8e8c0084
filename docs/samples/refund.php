<?php
// Refund $argv[2] of the invoice $argv[1]; $argv[3] is your own id of the refund.
[, $invoiceId, $amount, $referenceId] = $argv;
$request = curl_init(getenv('API_URL') . "/payment-invoices/$invoiceId/refund");
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT => 30,
    CURLOPT_USERPWD => getenv('ACCOUNT_ID') . ':' . getenv('API_KEY'),
    CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
    CURLOPT_POSTFIELDS => json_encode(['data' => ['type' => 'refund', 'attributes' => [
        'reference_id' => $referenceId,
        'amount' => $amount,
    ]]]),
]);
$answer = curl_exec($request);
$status = curl_getinfo($request, CURLINFO_RESPONSE_CODE);
if (!in_array($status, [200, 409])) {  // 409: this refund was asked for before
    fwrite(STDERR, "$status $answer\n");
    exit(1);
}
$attributes = json_decode($answer, true)['data']['attributes'];
echo $attributes['status'], ' ', $attributes['refunded_amount'], "\n";
