#!/bin/sh
set -eu
rm -f /etc/scratch.json
