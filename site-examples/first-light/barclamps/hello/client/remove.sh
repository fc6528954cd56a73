#!/bin/sh
set -eu
rm -f /etc/hello/client.conf
