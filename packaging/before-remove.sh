#!/bin/sh
# The program is about to go, and with it whoever could take a run back.
# dpkg calls this with "remove" or "upgrade", rpm with the number of versions that
# stay, pacman and apk with the version.
set -e

unit=bitgate-proxy.service

case "$1" in
upgrade | deconfigure | failed-upgrade | 1) exit 0 ;;
esac

if bitgate history --json 2>/dev/null | grep -Eq '"state": "(committed|open|incomplete)"'; then
	cat >&2 <<-END
	bitgate: a run is in force: Bitbucket and its front stay as bitgate set them up.
	bitgate: To take that back, install the package again and run: sudo bitgate undo
	END
	if grep -qs /usr/bin/bitgate /etc/systemd/system/bitgate-renew.service /etc/cron.d/bitgate; then
		echo "bitgate: Until then nobody gives the front a renewed certificate" >&2
	fi
fi
if [ -d /run/systemd/system ] && systemctl is-active --quiet $unit; then
	echo "bitgate: $unit serves Bitbucket, and is stopped; nobody reaches Bitbucket through it any longer" >&2
	systemctl stop $unit || true
fi
exit 0
