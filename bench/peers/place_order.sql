-- An order in one statement, for the peers with SQL by hand. It returns the response, which it also stores under the
-- idempotency key. It returns no row and changes nothing if a product is missing or has too few units, and fails with a
-- unique violation if the key is taken. Parameters: 1 product ids and 2 their quantities, each product once; 3 product
-- ids and 4 quantities of the items; 5 id of the order, 6 id of the owner, 7 note, 8 key, 9 fingerprint.
with wanted as (
  select * from unnest($1::uuid[], $2::int[]) as w(id, quantity)
), locked as (
  select p.id, p.sku, p.name, p.price, w.quantity from products p join wanted w on w.id = p.id
  where p.deleted_at is null and p.stock >= w.quantity
  order by p.id for no key update of p
), moved as (
  update products p
  set stock = p.stock - l.quantity, units_sold = p.units_sold + l.quantity, version = p.version + 1, updated_at = now()
  from locked l where p.id = l.id and (select count(*) from locked) = (select count(*) from wanted)
  returning p.id
), counted as (
  insert into order_counters (year, orders)
  select extract(year from now() at time zone 'UTC'), 1 where exists (select from moved)
  on conflict (year) do update set orders = order_counters.orders + 1
  returning year, orders
), item as (
  select i.position - 1 as position, l.id, l.sku, l.name, i.quantity, l.price, l.price * i.quantity as amount
  from unnest($3::uuid[], $4::int[]) with ordinality as i(product_id, quantity, position)
  join locked l on l.id = i.product_id
), placed as (
  insert into orders (id, number, owner_id, status, note, total, version, created_at, updated_at)
  select $5::uuid, year || '-' || lpad(orders::text, 6, '0'), $6::uuid, 'pending', $7::text,
         (select sum(amount) from item), 1, now(), now()
  from counted returning *
), placed_item as (
  insert into order_items (order_id, position, product_id, quantity, unit_price)
  select placed.id, item.position, item.id, item.quantity, item.price from item cross join placed
), response as (
  select convert_to(json_build_object(
    'id', o.id, 'number', o.number, 'owner', json_build_object('id', u.id, 'username', u.username),
    'customer_id', o.customer_id,
    'items', (select json_agg(json_build_object(
      'product', json_build_object('id', i.id, 'sku', i.sku, 'name', i.name), 'quantity', i.quantity,
      'unit_price', i.price::text, 'amount', i.amount::text) order by i.position) from item i),
    'total', o.total::text, 'status', o.status, 'note', o.note, 'created_at', o.created_at, 'updated_at', o.updated_at
  )::text, 'UTF8') as body
  from placed o join users u on u.id = o.owner_id
), stored as (
  insert into idempotency_keys (caller, operation, key, fingerprint, status, headers, body, created_at)
  select $6::uuid::text, 'create_order', $8::text, $9::text, 201, '[]', body, now() from response
)
select body from response
