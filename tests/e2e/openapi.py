# SPDX-License-Identifier: BSD-3-Clause
"""Answers and callbacks as the API files that 3GPP publishes want them. The files are 3GPP's and not part of this project: they lie in the folder that
FANFARE_OPENAPI names, or in ../shared/openapi beside the checkout."""
import os
import pathlib
import re
import urllib.parse

APIS = ("TS29122_NIDD.yaml", "TS29122_DeviceTriggering.yaml", "TS29522_MBSGroupMsgDelivery.yaml")
COMMON = "TS29122_CommonData.yaml#/components/schemas/"
METHODS = ("get", "post", "put", "patch", "delete")
RESULTS = re.compile(r"^/3gpp-nidd/v1/[^/]+/configurations/[^/]+/downlink-data-deliveries/[^/]+/results$")
# Fanfare's own resource: no file has it, but what is in its pages is T8's.
RESULTS_SCHEMA = {"type": "object", "required": ["next", "gmdResults"],
                  "properties": {"next": {"type": "integer"},
                                 "gmdResults": {"type": "array", "items": {"$ref": "TS29122_NIDD.yaml#/components/schemas/GmdResult"}}}}


class Absent(Exception):
    """Files or packages are missing: which ones, and what brings them."""


def folder():
    named = os.environ.get("FANFARE_OPENAPI")
    path = pathlib.Path(named) if named else pathlib.Path(__file__).resolve().parents[3] / "shared/openapi"
    if not all((path / name).exists() for name in APIS):
        raise Absent(f"the API files of TS 29.122 and TS 29.522 are not in {path} (FANFARE_OPENAPI names the folder)")
    return path


def reference(name, steps):
    """To a place of a file, as $ref wants it: a JSON pointer in a URI's fragment."""
    return {"$ref": f"{name}#/" + urllib.parse.quote("/".join(step.replace("~", "~0").replace("/", "~1") for step in steps))}


def pattern_of(template):
    """A path with {names} in it as a regular expression."""
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", template)) + "$")


class Published:
    """What the files say. Faults come back as texts, one for each body that is wrong."""

    def __init__(self):
        path = folder()
        try:
            import yaml
            from openapi_schema_validator import OAS30Validator
            from referencing import Registry, Resource
        except ImportError as missing:
            raise Absent(f"{missing} (make build/venv-e2e/done)") from missing
        self.files = {name: yaml.safe_load((path / name).read_text()) for name in (file.name for file in path.glob("*.yaml"))}
        registry = Registry().with_resources((name, Resource.opaque(contents)) for name, contents in self.files.items())
        self.make = lambda schema: OAS30Validator(schema, registry=registry, format_checker=OAS30Validator.FORMAT_CHECKER)
        self.operations = [operation for name in APIS for operation in self.read_operations(name)]
        self.validators, self.callbacks = {}, {}
        self.answers_seen = self.callbacks_seen = 0

    def read_operations(self, name):
        base = self.files[name]["servers"][0]["url"].removeprefix("{apiRoot}")
        for template, item in self.files[name]["paths"].items():
            for method in METHODS:
                if method in item:
                    yield pattern_of(base + template), method, name, ["paths", template, method]

    def find(self, method, path):
        """The file and the place of an operation; None: no file has it."""
        return next(((name, place) for pattern, its_method, name, place in self.operations
                     if its_method == method.lower() and pattern.match(urllib.parse.urlsplit(path).path)), None)

    def follow(self, name, place):
        """What stands at a place of a file, with the file and place that a $ref there leads to."""
        at = self.files[name]
        for part in place:
            at = at[part]
        if isinstance(at, dict) and "$ref" in at:
            file, pointer = at["$ref"].split("#/")
            return self.follow(file or name, [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")])
        return at, name, place

    def check(self, schema, body):
        """What is wrong with a body; None: nothing."""
        if str(schema) not in self.validators:
            self.validators[str(schema)] = self.make(schema)
        errors = sorted(self.validators[str(schema)].iter_errors(body), key=lambda error: list(error.path))
        return "; ".join(f"{error.json_path}: {error.message[:120]}" for error in errors[:3]) or None

    def answer_schema(self, method, path, status, media_type):
        """The schema of an answer's body, and a fault where the file has none of this media type. Neither: the file says nothing of a body."""
        operation = self.find(method, path)
        if operation is None and status < 400:
            known = method == "GET" and RESULTS.match(urllib.parse.urlsplit(path).path)
            return (RESULTS_SCHEMA, None) if known else (None, "no file has such an operation")
        if operation is not None:
            name, place = operation
            responses, _, _ = self.follow(name, place + ["responses"])
            key = str(status) if str(status) in responses else "default"
            if key not in responses:
                return None, f"the file has no answer {status}"
            response, name, place = self.follow(name, place + ["responses", key])
            content = response.get("content")
            if content is not None and media_type not in content:
                return None, f"{media_type} is none of {list(content)}"
            if content is not None:
                return reference(name, place + ["content", media_type, "schema"]), None
        return ({"$ref": COMMON + "ProblemDetails"}, None) if status >= 400 else (None, None)

    def answer_fault(self, method, path, status, media_type, body):
        schema, fault = self.answer_schema(method, path, status, (media_type or "").split(";")[0])
        self.answers_seen += 1
        if body is None:
            return None if status == 204 else "has no body"
        if schema is None:
            return fault or f"the file has no body for {status}"
        return self.check(schema, body)

    def expect_callbacks(self, method, path, body):
        """Before a request is sent: the URIs in it that its operation calls back."""
        operation = self.find(method, path)
        if operation is None or not isinstance(body, dict):
            return
        name, place = operation
        for event, item in self.follow(name, place)[0].get("callbacks", {}).items():
            for expression in item:
                uri = body.get(re.fullmatch(r"\{\$request\.body#/(\w+)\}", expression)[1])
                if isinstance(uri, str):
                    steps = place + ["callbacks", event, expression, "post", "requestBody", "content", "application/json", "schema"]
                    self.callbacks[uri] = reference(name, steps)

    def callback_fault(self, uri, body):
        """A TestNotification (TS 29.122 5.2.5.3) may come to any of them."""
        self.callbacks_seen += 1
        if isinstance(body, dict) and "subscription" in body:
            return self.check({"$ref": COMMON + "TestNotification"}, body)
        if uri not in self.callbacks:
            return f"nobody has asked for a callback to {uri}"
        return self.check(self.callbacks[uri], body)
