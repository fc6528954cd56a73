# For `.`: which of the two roles this is.
case $(crowbar-get crowbar.step) in */dns-server@* | */dns-server/*) role=dns-server ;; *) role=dns-client ;; esac
