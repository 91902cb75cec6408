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
	again="install the package again and run: sudo bitgate undo"
	if [ -x /usr/local/bin/bitgate ]; then # a setup by a program elsewhere has installed it
		again="run: sudo /usr/local/bin/bitgate undo"
	fi
	cat >&2 <<-END
	bitgate: a run is in force: Bitbucket and its front stay as bitgate set them up.
	bitgate: To take that back, $again
	END
	if grep -qs /usr/bin/bitgate /etc/systemd/system/bitgate-renew.service /etc/cron.d/bitgate; then
		echo "bitgate: Until the package is there again, nobody gives the front a renewed certificate" >&2
	fi
fi
[ -d /run/systemd/system ] || exit 0
# A unit of the administrator's, or of a setup without the package, may run another
# program, which stays.
case "$(systemctl show --property=FragmentPath --property=ExecStart $unit 2>/dev/null)" in
*FragmentPath=/lib/* | *FragmentPath=/usr/lib/* | *path=/usr/bin/bitgate\ *) ;;
*) exit 0 ;;
esac
if systemctl is-active --quiet $unit; then
	echo "bitgate: $unit serves Bitbucket, and is stopped; nobody reaches Bitbucket through it any longer" >&2
	systemctl stop $unit || true
fi
exit 0
