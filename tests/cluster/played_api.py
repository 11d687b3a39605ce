"""The API server as a played operator reaches it: a few calls with JSON in and out, by the official client."""

import json

import yaml
from kubernetes import client, config

from tests.cluster.played_answers import Object

CONNECTIONS = 32  # one for each watch, and the workers'


class Refused(Exception):
    """The API server said no; ``status`` is its code."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    """A few calls with JSON in and out, through the official client's connections."""

    def __init__(self, kubeconfig: str) -> None:
        settings = client.Configuration()
        config.load_kube_config_from_dict(yaml.safe_load(kubeconfig), client_configuration=settings)
        settings.connection_pool_maxsize = CONNECTIONS
        self.client = client.ApiClient(settings)

    def call(self, method: str, path: str, body: Object | None = None, content: str = "application/json") -> Object:
        headers = {"Accept": "application/json", "Content-Type": content}
        asked = self.client.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        answer = self.client.call_api(*asked, _request_timeout=10)
        text = answer.read() or b"{}"
        if answer.status >= 400:
            raise Refused(answer.status, text.decode()[:300])
        found: Object = json.loads(text)
        return found

    def find(self, path: str) -> Object | None:
        try:
            return self.call("GET", path)
        except Refused as error:
            if error.status == 404:
                return None
            raise


def path(api: str, plural: str, namespace: str, name: str = "") -> str:
    root = f"/apis/{api}" if "/" in api else f"/api/{api}"
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{place}/{plural}" + (f"/{name}" if name else "")
