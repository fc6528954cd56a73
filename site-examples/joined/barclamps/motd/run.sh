#!/bin/sh
set -eu
crowbar-get motd.text >/etc/motd
