/**
 * A callback plugin for ansible 2.10 to 2.19: it writes `ansible.json` into the results: how many tasks changed something,
 * what `set_stats` said, each value as JSON, and the tasks that failed with file and line. In a dry run also each task that would change
 * something, with its diff, and each that cannot say.
 */
export const ANSIBLE_CALLBACK = `from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: crowbar_result
type: aggregate
short_description: what a playbook did, as JSON
description: Writes changes, custom stats and failures into the folder that CROWBAR_RESULTS names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "crowbar_result"
    CALLBACK_NEEDS_ENABLED = True
    CALLBACK_NEEDS_WHITELIST = True

    def __init__(self):
        super().__init__()
        self.failures = []
        self.foreseen = []
        self.dry = os.environ.get("CROWBAR_DRY_RUN") == "1"

    def parts(self, result):
        task = getattr(result, "task", None) or result._task
        told = getattr(result, "result", None) or result._result
        return task, told

    def foresee(self, result, effect, text):
        task, told = self.parts(result)
        if getattr(task, "no_log", False) is True:
            text = "what it would change is not shown (no_log)"
        self.foreseen.append({"what": str(task.get_name()), "at": str(task.get_path() or ""), "effect": effect, "detail": str(text).strip()[:100000]})

    def diff(self, told):
        found = told.get("diff") or [one.get("diff") for one in told.get("results", []) if isinstance(one, dict) and one.get("diff")]
        flat = []
        for one in found if isinstance(found, list) else [found]:
            flat.extend(one if isinstance(one, list) else [one])
        try:
            return self._get_diff([one for one in flat if one])
        except Exception:
            return ""

    def v2_runner_on_ok(self, result):
        task, told = self.parts(result)
        if self.dry and told.get("changed"):
            self.foresee(result, "change", self.diff(told) or told.get("msg", ""))

    def v2_runner_on_skipped(self, result):
        task, told = self.parts(result)
        said = str(told.get("msg", ""))
        unsure = [str(one.get("msg")) for one in told.get("results", []) if isinstance(one, dict) and "check mode" in str(one.get("msg", ""))]
        if self.dry and ("check mode" in said or unsure):
            self.foresee(result, "unknown", "it does not run in a dry run: " + (said if "check mode" in said else unsure[0]))

    def failed(self, result):
        task, told = self.parts(result)
        text = "its result is not shown (no_log)" if getattr(task, "no_log", False) is True else str(told.get("msg", ""))
        if told.get("stderr") and getattr(task, "no_log", False) is not True:
            text = text + ": " + str(told["stderr"])[-2000:]
        self.failures.append({"task": str(task.get_name()), "path": str(task.get_path() or ""), "message": text})

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self.failed(result)

    def v2_runner_on_unreachable(self, result):
        self.failed(result)

    def beyond_json(self, value):
        if isinstance(value, dict):
            odd = [key for key in value if not isinstance(key, str)]
            return "a key that is no string" if odd else self.first(value.values())
        if isinstance(value, (list, tuple)):
            return self.first(value)
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            return "a number that is none"
        return None if value is None or isinstance(value, (bool, float, int, str)) else "a value of the type " + type(value).__name__

    def first(self, values):
        return next((problem for problem in map(self.beyond_json, values) if problem is not None), None)

    def v2_playbook_on_stats(self, stats):
        provides = {}
        for told in stats.custom.values():
            for name, value in told.items():
                problem = self.beyond_json(value)
                provides[str(name)] = {"json": json.dumps(value)} if problem is None else {"problem": problem}
        result = {"changed": sum(stats.changed.values()), "provides": provides, "failures": self.failures, "foreseen": self.foreseen}
        with open(os.path.join(os.environ["CROWBAR_RESULTS"], "ansible.json"), "w", encoding="utf-8") as file:
            json.dump(result, file)
`
