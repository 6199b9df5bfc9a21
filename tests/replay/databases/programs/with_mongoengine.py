"""mongoengine: documents with references, embedded documents, indexes and queries."""

from __future__ import annotations

import os
from typing import ClassVar

from mongoengine import (
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    NotUniqueError,
    ReferenceField,
    StringField,
    connect,
)


class Item(EmbeddedDocument):  # type: ignore[misc]
    sku = StringField()
    qty = IntField()


class Customer(Document):  # type: ignore[misc]
    mail = StringField(unique=True)


class Order(Document):  # type: ignore[misc]
    customer = ReferenceField(Customer)
    items = EmbeddedDocumentListField(Item)
    meta: ClassVar = {"indexes": ["customer"]}


client = connect(host=os.environ["DB_URL"])
Customer.drop_collection()
Order.drop_collection()
ada = Customer(mail="ada@example.com").save()
try:
    Customer(mail="ada@example.com").save()
except NotUniqueError:
    print("not unique")
for qty in range(3):
    Order(customer=ada, items=[Item(sku="ink", qty=qty)]).save()
print([each.items[0].qty for each in Order.objects(customer=ada).order_by("-items__qty")])
print(Order.objects.first().customer.mail)
print(Order.objects(items__qty__gte=1).update(set__items__0__sku="pen"))
print(Order.objects(items__sku="pen").count())
by_sku = [{"$unwind": "$items"}, {"$group": {"_id": "$items.sku", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}]
print(list(Order.objects.aggregate(by_sku)))
Order.objects.delete()
print(Order.objects.count())
client.close()
