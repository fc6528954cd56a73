#!/bin/sh
# Stops the service. The token stays, so that a later run is the same service again.
set -eu
systemctl disable --now --quiet lighttpd
