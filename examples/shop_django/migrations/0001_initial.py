"""Make the tables and put on the shelves what is on sale."""
# ruff: noqa: RUF012  # Django's conventions

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.deletion import PROTECT

from examples.shop.model import ON_SALE


def fill_shelves(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Add every product."""
    product_row = apps.get_model("shop_django", "ProductRow")
    for item in ON_SALE:
        product_row.objects.create(**item.as_json())


class Migration(migrations.Migration):
    """Products and orders."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="ProductRow",
            fields=[
                ("sku", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("price", models.PositiveIntegerField()),
                ("stock", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="OrderRow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("quantity", models.PositiveIntegerField()),
                ("total", models.PositiveIntegerField()),
                ("status", models.CharField(max_length=20)),
                ("product", models.ForeignKey("shop_django.ProductRow", on_delete=PROTECT)),
            ],
        ),
        migrations.RunPython(fill_shelves, migrations.RunPython.noop),
    ]
