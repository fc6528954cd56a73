#!/bin/sh
set -eu
install -d /srv/objects
