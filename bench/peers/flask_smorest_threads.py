"""flask-smorest: marshmallow schemas in and out, under gunicorn's threads."""

import flask_database
import jwt
from environment import ORDER_SCOPE, SCOPE, SECRET
from flask import Flask, Response, request
from flask.views import MethodView
from flask_smorest import Api, Blueprint, abort
from marshmallow import EXCLUDE, Schema, fields, validate
from models import ORDERS, Product

app = Flask(__name__)
app.config.update(API_TITLE="Shop", API_VERSION="v1", OPENAPI_VERSION="3.0.3")
api = Api(app)
flask_database.init_app(app)


class CategorySchema(Schema):
    id = fields.UUID()
    name = fields.String()


class ProductSchema(Schema):
    id = fields.UUID(dump_only=True)
    sku = fields.String(required=True, validate=validate.Regexp(r"^[A-Z0-9-]{3,32}\Z"))
    name = fields.String(required=True, validate=validate.Length(1, 150))
    description = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=5000))
    price = fields.Decimal(required=True, places=2, as_string=True, validate=validate.Range(0, min_inclusive=False))
    stock = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 2_147_483_647))
    category_id = fields.UUID(required=True, load_only=True)
    category = fields.Nested(CategorySchema, dump_only=True)
    tags = fields.List(fields.String(), dump_only=True)
    created_at = fields.AwareDateTime(dump_only=True)
    updated_at = fields.AwareDateTime(dump_only=True)


class ProductReferenceSchema(Schema):
    id = fields.UUID()
    sku = fields.String()
    name = fields.String()


class OrderItemSchema(Schema):
    product_id = fields.UUID(required=True, load_only=True)
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(1, 1_000))
    product = fields.Nested(ProductReferenceSchema, dump_only=True)
    unit_price = fields.Decimal(places=2, as_string=True, dump_only=True)
    amount = fields.Decimal(places=2, as_string=True, dump_only=True)


class UserReferenceSchema(Schema):
    id = fields.UUID()
    username = fields.String()


class OrderSchema(Schema):
    id = fields.UUID(dump_only=True)
    number = fields.String(dump_only=True)
    owner = fields.Nested(UserReferenceSchema, dump_only=True)
    customer_id = fields.UUID(dump_only=True)
    items = fields.List(fields.Nested(OrderItemSchema), required=True, validate=validate.Length(1, 100))
    total = fields.Decimal(places=2, as_string=True, dump_only=True)
    status = fields.String(dump_only=True)
    note = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=500))
    created_at = fields.AwareDateTime(dump_only=True)
    updated_at = fields.AwareDateTime(dump_only=True)


class IdempotencyKeySchema(Schema):
    key = fields.String(required=True, data_key="Idempotency-Key", validate=validate.Length(1, 255))

    class Meta:
        unknown = EXCLUDE


ORDER = OrderSchema()


class PageQuerySchema(Schema):
    page = fields.Integer(load_default=1, validate=validate.Range(1, 10_000))
    per_page = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    sort = fields.String(load_default="name", validate=validate.OneOf(ORDERS))


class ProductPageSchema(Schema):
    items = fields.List(fields.Nested(ProductSchema))
    total = fields.Integer()
    page = fields.Integer()
    per_page = fields.Integer()


def check_token(required_scope: str) -> dict[str, str]:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        abort(401, headers={"WWW-Authenticate": "Bearer"})
    if scheme != "Bearer" or required_scope not in claims["scope"].split():
        abort(403)
    return claims


blp = Blueprint("products", "products", url_prefix="/products")


@blp.route("")
class Products(MethodView):
    @blp.arguments(PageQuerySchema, location="query")
    @blp.response(200, ProductPageSchema)
    def get(self, query: dict) -> dict[str, object]:
        return flask_database.find(**query)

    @blp.arguments(ProductSchema)
    @blp.response(201, ProductSchema)
    def post(self, body: dict) -> Product:
        check_token(SCOPE)
        return flask_database.create(**body)


@blp.route("/<uuid:product_id>")
class ProductById(MethodView):
    @blp.response(200, ProductSchema)
    def get(self, product_id: object) -> Product:
        return flask_database.get(product_id)


orders = Blueprint("orders", "orders", url_prefix="/orders")


@orders.route("")
class Orders(MethodView):
    @orders.arguments(OrderSchema)
    @orders.arguments(IdempotencyKeySchema, location="headers")
    @orders.response(201, OrderSchema)
    def post(self, body: dict, headers: dict) -> Response:
        owner_id = check_token(ORDER_SCOPE)["sub"]
        items = [(item["product_id"], item["quantity"]) for item in body["items"]]
        return flask_database.order(
            owner_id, headers["key"], items, body["note"], lambda order: ORDER.dumps(order).encode()
        )


api.register_blueprint(blp)
api.register_blueprint(orders)


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
