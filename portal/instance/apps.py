from django.apps import AppConfig


class InstanceConfig(AppConfig):
    name = "portal.instance"
    label = "instance"
