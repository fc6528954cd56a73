#!/bin/sh
set -eu
rm -f /var/lib/relay/kept
