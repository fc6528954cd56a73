#!/bin/sh
set -eu
: > /etc/motd
