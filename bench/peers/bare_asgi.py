"""The limit: no framework, hand-written SQL, one statement a request on a connection that is always held."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

import asyncpg
import jwt
import orjson
from db.text import casefold
from environment import DATABASE_URL, ORDER_SCOPE, POOL_SIZE, SCOPE, SECRET

Send = Callable[[dict], Awaitable[None]]
Receive = Callable[[], Awaitable[dict]]

TAGS = """
    array(select t.name from product_tags pt join tags t on t.id = pt.tag_id
          where pt.product_id = p.id order by pt.position) tags"""
COLUMNS = """
    p.id::text, p.sku, p.name, p.description, p.price::text price, p.stock, p.created_at, p.updated_at,
    c.id::text category_id, c.name category_name"""
BY_ID = f"""
    select {COLUMNS}, {TAGS} from products p join categories c on c.id = p.category_id
    where p.id = $1 and p.deleted_at is null"""
ORDERS = {"name": "name_key", "price": "price", "created_at": "created_at"}
PAGES = {
    f"{sign}{name}": f"""
    select {COLUMNS}, {TAGS}, (select count(*) from products where deleted_at is null) total
    from (select * from products where deleted_at is null
          order by {column} {direction}, id {direction} limit $1 offset $2) p
    join categories c on c.id = p.category_id order by p.{column} {direction}, p.id {direction}"""
    for name, column in ORDERS.items()
    for sign, direction in (("", "asc"), ("-", "desc"))
}
CREATE = f"""
    with c as (select id, name from categories where id = $7),
         p as (insert into products (id, sku, name, name_key, description, search, price, stock, category_id,
                                     version, created_at, updated_at)
               select $1, $2, $3, $4, $5, $6, $8::text::numeric, $9, c.id, 1, now(), now() from c returning *)
    select {COLUMNS}, array[]::text[] tags from p cross join c"""
PLACE_ORDER = Path(__file__).with_name("place_order.sql").read_text()
STORED = "select fingerprint, body from idempotency_keys where caller = $1 and operation = 'create_order' and key = $2"
AVAILABLE = "select count(*) from products where id = any($1) and deleted_at is null"
SKU = re.compile("[A-Z0-9-]{3,32}")

connections: asyncio.LifoQueue[asyncpg.Connection] = asyncio.LifoQueue()


class Refused(Exception):
    """The status is the only argument."""


async def app(scope: dict, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    method, path = scope["method"], scope["path"]
    try:
        if path == "/health" and method == "GET":
            await answer(send, 200, {"status": "ok"})
        elif path == "/products" and method == "GET":
            await answer(send, 200, await list_products(scope["query_string"]))
        elif path == "/products" and method == "POST":
            check_token(scope["headers"], SCOPE)
            await answer(send, 201, await create_product(await read(receive)))
        elif path == "/orders" and method == "POST":
            await create_order(scope["headers"], receive, send)
        elif path.startswith("/products/") and method == "GET":
            await answer(send, 200, await get_product(path[10:]))
        else:
            raise Refused(404)
    except Refused as refused:
        await answer(send, refused.args[0], {"status": refused.args[0]})


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    for _ in range(POOL_SIZE):
        # Every page is planned alike, so planning each anew would only cost time.
        connection = await asyncpg.connect(DATABASE_URL, server_settings={"plan_cache_mode": "force_generic_plan"})
        connections.put_nowait(connection)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    while not connections.empty():
        await connections.get_nowait().close()
    await send({"type": "lifespan.shutdown.complete"})


async def answer(send: Send, status: int, content: dict) -> None:
    await answer_bytes(send, status, orjson.dumps(content))


async def answer_bytes(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            return body


async def fetch(statement: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await connections.get()
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        connections.put_nowait(connection)


async def get_product(product_id: str) -> dict:
    try:
        rows = await fetch(BY_ID, UUID(product_id))
    except ValueError:
        raise Refused(404) from None
    if not rows:
        raise Refused(404)
    return represent(rows[0])


async def list_products(query_string: bytes) -> dict:
    query = dict(parse_qsl(query_string.decode("ascii")))
    try:
        page, per_page, statement = int(query.get("page", 1)), int(query.get("per_page", 20)), PAGES[query.get("sort", "name")]
    except (KeyError, ValueError):
        raise Refused(400) from None
    if not (1 <= page <= 10_000 and 1 <= per_page <= 100):
        raise Refused(400)
    rows = await fetch(statement, per_page, (page - 1) * per_page)
    return {
        "items": [represent(row) for row in rows],
        "total": rows[0]["total"] if rows else 0,
        "page": page,
        "per_page": per_page,
    }


async def create_product(body: bytes) -> dict:
    try:
        values = orjson.loads(body)
        sku, name, description = values["sku"], values["name"], values.get("description")
        price, stock, category_id = Decimal(values["price"]), values.get("stock", 0), UUID(values["category_id"])
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation):
        raise Refused(422) from None
    if not (
        isinstance(sku, str)
        and SKU.fullmatch(sku)
        and isinstance(name, str)
        and 1 <= len(name) <= 150
        and (description is None or (isinstance(description, str) and len(description) <= 5000))
        and 0 < price < 10_000_000_000
        and price == round(price, 2)
        and type(stock) is int
        and 0 <= stock <= 2_147_483_647
    ):
        raise Refused(422)
    search = f"{name} {description or ''}"
    try:
        rows = await fetch(
            CREATE, uuid4(), sku, name, casefold(name), description, casefold(search), category_id, str(price), stock
        )
    except asyncpg.UniqueViolationError:
        raise Refused(409) from None
    if not rows:
        raise Refused(422)
    return represent(rows[0])


async def create_order(headers: list[tuple[bytes, bytes]], receive: Receive, send: Send) -> None:
    owner_id = check_token(headers, ORDER_SCOPE)["sub"]
    key = next((value for name, value in headers if name == b"idempotency-key"), b"").decode("latin-1")
    content = await read(receive)
    items, note = parse_order(content)
    if not 1 <= len(key) <= 255:
        raise Refused(400)
    quantities: Counter[UUID] = Counter()
    for product_id, quantity in items:
        quantities[product_id] += quantity
    fingerprint = sha256(content).hexdigest()
    try:
        rows = await fetch(
            PLACE_ORDER,
            [*quantities],
            [*quantities.values()],
            [product_id for product_id, _ in items],
            [quantity for _, quantity in items],
            uuid4(),
            UUID(owner_id),
            note,
            key,
            fingerprint,
        )
    except asyncpg.UniqueViolationError:
        rows = []
    if not rows:
        rows = await fetch(STORED, owner_id, key)
        if not rows:
            is_known = (await fetch(AVAILABLE, [*quantities]))[0]["count"] == len(quantities)
            raise Refused(409 if is_known else 422)
        if rows[0]["fingerprint"] != fingerprint:
            raise Refused(422)
    await answer_bytes(send, 201, rows[0]["body"])


def parse_order(content: bytes) -> tuple[list[tuple[UUID, int]], str | None]:
    try:
        values = orjson.loads(content)
        note, items = values.get("note"), [(UUID(item["product_id"]), item["quantity"]) for item in values["items"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(422) from None
    if not (
        1 <= len(items) <= 100
        and all(type(quantity) is int and 1 <= quantity <= 1_000 for _, quantity in items)
        and (note is None or (isinstance(note, str) and len(note) <= 500))
    ):
        raise Refused(422)
    return items, note


def check_token(headers: list[tuple[bytes, bytes]], required_scope: str) -> dict[str, str]:
    authorization = next((value for name, value in headers if name == b"authorization"), b"")
    try:
        claims = jwt.decode(authorization.removeprefix(b"Bearer "), SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise Refused(401) from None
    if required_scope not in claims["scope"].split():
        raise Refused(403)
    return claims


def represent(row: asyncpg.Record) -> dict:
    return {
        "id": row["id"],
        "sku": row["sku"],
        "name": row["name"],
        "description": row["description"],
        "price": row["price"],
        "stock": row["stock"],
        "category": {"id": row["category_id"], "name": row["category_name"]},
        "tags": row["tags"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
