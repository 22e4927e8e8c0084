-- $1: data.id, $2: status, $3: updated. A repeated or older callback changes no row.
INSERT INTO paid_orders (invoice_id, status, updated)
VALUES ($1, $2, $3)
ON CONFLICT (invoice_id) DO UPDATE
SET status = excluded.status, updated = excluded.updated
WHERE paid_orders.updated < excluded.updated
