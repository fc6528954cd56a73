#!/bin/sh
set -eu
crowbar-get banner.text > /etc/motd
