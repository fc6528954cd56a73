#!/bin/sh
set -eu
apt-get -qq -y purge greet
