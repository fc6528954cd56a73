#!/bin/sh
set -eu
crowbar-get --default none wants.word > /etc/word
