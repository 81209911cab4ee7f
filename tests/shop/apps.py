from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "tests.shop"
    label = "tests_shop"  # projects that tests make have a shop, too
