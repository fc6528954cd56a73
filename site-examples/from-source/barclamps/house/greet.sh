#!/bin/sh
set -eu
crowbar-provide says "$(greet)"
