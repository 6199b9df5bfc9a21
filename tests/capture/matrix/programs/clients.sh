#!/bin/sh
# Calls every service URL with curl and prints one line for each call.
for base in "$@"; do
    printf 'curl/curl\t%s\t%s\n' "$base" "$(curl -sS --max-time 20 "$base/curl/curl" 2>&1 | tr '\n' ' ')"
done
