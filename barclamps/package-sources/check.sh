#!/bin/sh
# Every index is there, and is signed as it should be; apt's own lists stay as they are.
set -eu
lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT
mkdir "$lists/partial"
apt-get -o Dir::State::Lists="$lists" -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any update
