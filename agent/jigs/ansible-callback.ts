/**
 * A callback plugin for ansible 2.10 to 2.19: it writes `ansible.json` into the results: how many tasks changed something,
 * what `set_stats` said, and the tasks that failed with file and line.
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

    def failed(self, result):
        task = getattr(result, "task", None) or result._task
        told = getattr(result, "result", None) or result._result
        text = "its result is not shown (no_log)" if getattr(task, "no_log", False) is True else str(told.get("msg", ""))
        if told.get("stderr") and getattr(task, "no_log", False) is not True:
            text = text + ": " + str(told["stderr"])[-2000:]
        self.failures.append({"task": str(task.get_name()), "path": str(task.get_path() or ""), "message": text})

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self.failed(result)

    def v2_runner_on_unreachable(self, result):
        self.failed(result)

    def v2_playbook_on_stats(self, stats):
        provides = {}
        for told in stats.custom.values():
            provides.update(told)
        result = {"changed": sum(stats.changed.values()), "provides": provides, "failures": self.failures}
        with open(os.path.join(os.environ["CROWBAR_RESULTS"], "ansible.json"), "w", encoding="utf-8") as file:
            json.dump(result, file)
`
