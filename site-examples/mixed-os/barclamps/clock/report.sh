#!/bin/sh
set -eu
crowbar-provide servers --json "$(grep -c '^server ' "$(crowbar-get wants.config)")"
