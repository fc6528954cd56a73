#!/bin/sh
set -eu
rm -f /etc/shop-drained
