#!/bin/sh
# drain and resume: clients take the other nodes while this one is away.
set -eu
case $CROWBAR_ACTION in drain) systemctl stop memcached.service ;; *) systemctl start memcached.service ;; esac
