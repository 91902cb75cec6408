#!/bin/sh
# The new files are there. Nothing is enabled or started; a front that serves goes
# over to the new program by a reload, which refuses and cuts nothing.
# dpkg calls this with "configure" and the version before, rpm with the number of
# versions that there are now, pacman with the versions.
set -e

unit=bitgate-proxy.service

case "$1" in
abort-*) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
systemctl --system daemon-reload >/dev/null 2>&1 || true

if systemctl is-active --quiet $unit; then
	if ! systemctl reload $unit; then
		echo "bitgate: the front serves on with the version before; see journalctl -u $unit, then systemctl reload $unit" >&2
	fi
elif systemctl is-enabled --quiet $unit 2>/dev/null && [ -e /etc/bitgate/proxy.yaml ]; then
	echo "bitgate: the front is set up but does not run; systemctl start $unit starts it" >&2
fi
case "$(systemctl show --value --property=FragmentPath $unit 2>/dev/null)" in
/etc/systemd/*)
	echo "bitgate: /etc/systemd/system/$unit, from a setup without the package, stands in the place of the package's unit" >&2
	;;
esac
exit 0
