#!/bin/sh
set -eu
rm -f /etc/motd
