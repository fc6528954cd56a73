#!/bin/sh
set -eu
. "$CROWBAR_CONTENT/libraries/words/say.sh"
# The first try is one too early.
[ -e /etc/tried ] || { : > /etc/tried; exit 1; }
[ -s /etc/ground ]
crowbar-get --default none wants.word > /etc/word
say "$(crowbar-get wants.family)" "$(crowbar-get crowbar.role.name)" > /etc/said
