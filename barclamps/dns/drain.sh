#!/bin/sh
# drain and resume: clients ask the next server while this one is away.
set -eu
case $CROWBAR_ACTION in drain) systemctl stop unbound.service ;; *) systemctl start unbound.service ;; esac
