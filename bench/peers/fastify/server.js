// Fastify with @fastify/postgres and @fastify/jwt; the schemas check what comes in and compile what goes out.
'use strict'

const cluster = require('node:cluster')
const { createHash, randomUUID } = require('node:crypto')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const fastify = require('fastify')()

const {
  BENCH_DATABASE_URL, BENCH_ORDER_SCOPE, BENCH_POOL_SIZE, BENCH_PORT, BENCH_SCOPE, BENCH_SECRET, BENCH_WORKERS
} = process.env

fastify.register(require('@fastify/postgres'), { connectionString: BENCH_DATABASE_URL, max: Number(BENCH_POOL_SIZE) })
fastify.register(require('@fastify/jwt'), { secret: BENCH_SECRET })

const category = {
  type: 'object',
  required: ['id', 'name'],
  properties: { id: { type: 'string' }, name: { type: 'string' } }
}
const product = {
  $id: 'Product',
  type: 'object',
  required: ['id', 'sku', 'name', 'description', 'price', 'stock', 'category', 'tags', 'created_at', 'updated_at'],
  properties: {
    id: { type: 'string' },
    sku: { type: 'string' },
    name: { type: 'string' },
    description: { type: 'string', nullable: true },
    price: { type: 'string' },
    stock: { type: 'integer' },
    category,
    tags: { type: 'array', items: { type: 'string' } },
    created_at: { type: 'string', format: 'date-time' },
    updated_at: { type: 'string', format: 'date-time' }
  }
}
const productPage = {
  type: 'object',
  required: ['items', 'total', 'page', 'per_page'],
  properties: {
    items: { type: 'array', items: { $ref: 'Product#' } },
    total: { type: 'integer' },
    page: { type: 'integer' },
    per_page: { type: 'integer' }
  }
}
const productCreate = {
  type: 'object',
  required: ['sku', 'name', 'price', 'category_id'],
  additionalProperties: false,
  properties: {
    sku: { type: 'string', pattern: '^[A-Z0-9-]{3,32}$' },
    name: { type: 'string', minLength: 1, maxLength: 150 },
    description: { type: 'string', nullable: true, maxLength: 5000 },
    price: { type: 'string', pattern: '^(?!0+\\.00$)[0-9]{1,10}\\.[0-9]{2}$' },
    stock: { type: 'integer', minimum: 0, maximum: 2147483647, default: 0 },
    category_id: { type: 'string', format: 'uuid' }
  }
}
const orderCreate = {
  type: 'object',
  required: ['items'],
  additionalProperties: false,
  properties: {
    items: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      items: {
        type: 'object',
        required: ['product_id', 'quantity'],
        additionalProperties: false,
        properties: {
          product_id: { type: 'string', format: 'uuid' },
          quantity: { type: 'integer', minimum: 1, maximum: 1000 }
        }
      }
    },
    note: { type: 'string', nullable: true, maxLength: 500, default: null }
  }
}
fastify.addSchema(product)
fastify.setErrorHandler((error, request, reply) => {
  const isTaken = error.code === '23505'
  reply.code(isTaken ? 409 : error.statusCode ?? 500).send(isTaken ? { message: 'Another product has this SKU' } : error)
})

const columns = `
  p.id, p.sku, p.name, p.description, p.price, p.stock, p.created_at, p.updated_at,
  c.id as category_id, c.name as category_name`
const tags = `
  array(select t.name from product_tags pt join tags t on t.id = pt.tag_id
        where pt.product_id = p.id order by pt.position) as tags`
const orders = { name: 'name_key', price: 'price', created_at: 'created_at' }

function represent ({ category_id: id, category_name: name, ...row }) {
  return { ...row, category: { id, name } }
}

function allow (scope) {
  return async (request, reply) => {
    await request.jwtVerify()
    if (!request.user.scope.split(' ').includes(scope)) return reply.code(403).send({ message: 'Forbidden' })
  }
}

function folded (text) {
  return text.normalize('NFKC').toLowerCase()
}

fastify.get('/health', {
  schema: { response: { 200: { type: 'object', properties: { status: { type: 'string' } } } } }
}, async () => ({ status: 'ok' }))

fastify.get('/products/:id', {
  schema: {
    params: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } },
    response: { 200: product }
  }
}, async (request, reply) => {
  const { rows } = await fastify.pg.query({
    name: 'product',
    text: `select ${columns}, ${tags} from products p join categories c on c.id = p.category_id
           where p.id = $1 and p.deleted_at is null`,
    values: [request.params.id]
  })
  return rows.length > 0 ? represent(rows[0]) : reply.code(404).send({ message: 'Product not found' })
})

fastify.get('/products', {
  schema: {
    querystring: {
      type: 'object',
      properties: {
        page: { type: 'integer', minimum: 1, maximum: 10000, default: 1 },
        per_page: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
        sort: { enum: Object.keys(orders).flatMap(name => [name, `-${name}`]), default: 'name' }
      }
    },
    response: { 200: productPage }
  }
}, async (request) => {
  const { page, per_page: perPage, sort } = request.query
  const column = orders[sort.replace('-', '')]
  const direction = sort.startsWith('-') ? 'desc' : 'asc'
  const { rows } = await fastify.pg.query({
    name: `products by ${sort}`,
    text: `select ${columns}, ${tags}, (select count(*)::int from products where deleted_at is null) as total
           from (select * from products where deleted_at is null
                 order by ${column} ${direction}, id ${direction} limit $1 offset $2) p
           join categories c on c.id = p.category_id order by p.${column} ${direction}, p.id ${direction}`,
    values: [perPage, (page - 1) * perPage]
  })
  return { items: rows.map(represent), total: rows[0]?.total ?? 0, page, per_page: perPage }
})

fastify.post('/products', {
  schema: { body: productCreate, response: { 201: product } },
  onRequest: allow(BENCH_SCOPE)
}, async (request, reply) => {
  const { sku, name, description = null, price, stock, category_id: categoryId } = request.body
  const { rows } = await fastify.pg.query({
    name: 'create product',
    text: `with c as (select id, name from categories where id = $7),
                p as (insert into products (id, sku, name, name_key, description, search, price, stock, category_id,
                                            version, created_at, updated_at)
                      select $1, $2, $3, $4, $5, $6, $8::numeric, $9, c.id, 1, now(), now() from c returning *)
           select ${columns}, array[]::text[] as tags from p cross join c`,
    values: [randomUUID(), sku, name, folded(name), description, folded(`${name} ${description ?? ''}`), categoryId,
      price, stock]
  })
  return rows.length > 0 ? reply.code(201).send(represent(rows[0])) : reply.code(422).send({ message: 'No such category' })
})

const placeOrder = readFileSync(join(__dirname, '..', 'place_order.sql'), 'utf8')

fastify.post('/orders', {
  schema: {
    body: orderCreate,
    headers: {
      type: 'object',
      required: ['idempotency-key'],
      properties: { 'idempotency-key': { type: 'string', minLength: 1, maxLength: 255 } }
    }
  },
  onRequest: allow(BENCH_ORDER_SCOPE)
}, async (request, reply) => {
  const { items, note } = request.body
  const key = request.headers['idempotency-key']
  const ownerId = request.user.sub
  const fingerprint = createHash('sha256').update(JSON.stringify(request.body)).digest('hex')
  const quantities = new Map()
  for (const { product_id: id, quantity } of items) quantities.set(id, (quantities.get(id) ?? 0) + quantity)
  const ids = [...quantities.keys()]
  let rows = []
  try {
    ({ rows } = await fastify.pg.query({
      name: 'place order',
      text: placeOrder,
      values: [ids, [...quantities.values()], items.map(item => item.product_id), items.map(item => item.quantity),
        randomUUID(), ownerId, note, key, fingerprint]
    }))
  } catch (error) {
    if (error.code !== '23505') throw error
  }
  if (rows.length === 0) {
    ({ rows } = await fastify.pg.query({
      name: 'stored order',
      text: `select fingerprint, body from idempotency_keys
             where caller = $1 and operation = 'create_order' and key = $2`,
      values: [ownerId, key]
    }))
    if (rows.length === 0) {
      const { rows: [{ count }] } = await fastify.pg.query({
        name: 'available products',
        text: 'select count(*)::int from products where id = any($1) and deleted_at is null',
        values: [ids]
      })
      if (count < ids.length) return reply.code(422).send({ message: 'No such product' })
      return reply.code(409).send({ message: 'Too few are left' })
    }
    if (rows[0].fingerprint !== fingerprint) return reply.code(422).send({ message: 'This key was used before' })
  }
  return reply.code(201).type('application/json').send(rows[0].body)
})

const workers = Number(BENCH_WORKERS)
if (workers > 1 && cluster.isPrimary) {
  for (let worker = 0; worker < workers; worker++) cluster.fork()
} else {
  fastify.listen({ port: Number(BENCH_PORT), host: '127.0.0.1' }).catch((error) => {
    console.error(error)
    process.exit(1)
  })
}
