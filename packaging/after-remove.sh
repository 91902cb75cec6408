#!/bin/sh
# What setup made stays: the journals and backups hold the administrator's own
# files as they were, and the keys may be the only copy.
set -e

unit=bitgate-proxy.service

case "$1" in
upgrade | failed-upgrade | abort-* | disappear | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload >/dev/null 2>&1 || true
fi
case "$1" in
remove) exit 0 ;; # dpkg: purge may follow
esac
link=/etc/systemd/system/multi-user.target.wants/$unit
# Where the unit it names is not the package's, it stays for as long as its program does.
if [ ! -e $link ] || { [ ! -x /usr/bin/bitgate ] && grep -qs '^ExecStart=/usr/bin/bitgate ' $link; }; then
	rm -f $link
fi
for dir in /var/lib/bitgate /etc/bitgate; do
	if [ -e "$dir" ]; then
		echo "bitgate: $dir stays: it holds journals, backups or keys. Remove it by hand when nothing is to be taken back" >&2
	fi
done
exit 0
