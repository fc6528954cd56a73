#!/bin/sh
# What others use to say it.
say() { printf "%s says %s\n" "$1" "$2"; }
