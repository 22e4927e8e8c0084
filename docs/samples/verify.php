<?php
// Read a callback. In a web server the body is file_get_contents('php://input').

// --8<-- [start:verify]
/** Return whether both signatures of a callback were made with the key, within the last five minutes. */
function genuine(string $key, array $server, string $body): bool
{
    $simple = base64_encode(sha1($key . $body . $key, true));
    if (!hash_equals($simple, $server['HTTP_X_SIGNATURE'] ?? '')) {
        return false;
    }
    $id = $server['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $server['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    $standard = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $server['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $each) {
        if (hash_equals($standard, $each)) {
            return abs(time() - (int) $timestamp) <= 300;
        }
    }
    return false;
}
// --8<-- [end:verify]

$body = file_get_contents('php://stdin');
if (!genuine(getenv('PRIVATE_KEY'), $_SERVER, $body)) {
    fwrite(STDERR, "not genuine\n");
    exit(1);
}
$invoice = json_decode($body, true)['data'];
echo "genuine {$invoice['id']} {$invoice['attributes']['status']} {$invoice['attributes']['updated']}\n";
