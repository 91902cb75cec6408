package detect

import (
	"bytes"
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bitgate/haproxy/live"
	"bitgate/internal/service"
	"bitgate/internal/sockets"
	"bitgate/setup"
)

// Listeners reads the listening TCP sockets and who holds them from the process
// table.
func Listeners(proc string) ([]setup.Listener, error) {
	all, err := sockets.Listening(proc, 0)
	if err != nil {
		return nil, err
	}
	byInode := map[string]setup.Listener{}
	var inodes []string
	for _, s := range all {
		byInode[s.Inode] = setup.Listener{Address: s.Local.String()}
		inodes = append(inodes, s.Inode)
	}
	for inode, held := range sockets.Holders(proc, inodes...) {
		l, last := byInode[inode], held[len(held)-1]
		l.PID, l.Process = last.PID, last.Name
		l.Proxy, l.Unit = isProxy(proc, last.PID), service.RunsIn(proc, last.PID)
		if last.Name == "haproxy" {
			words, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(last.PID), "cmdline"))
			l.Loads = live.Loaded(strings.Split(string(words), "\x00"))
		}
		byInode[inode] = l
	}
	return slices.SortedFunc(maps.Values(byInode), func(a, b setup.Listener) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), a.PID-b.PID)
	}), nil
}

// proxyUnit is the built-in proxy's as a process has it among its control groups.
const proxyUnit = "/bitgate-proxy.service"

// isProxy recognises the built-in proxy by its unit, or by this program's file,
// started as it is started. What a process calls itself is anybody's word, and the
// file may have any name.
func isProxy(proc string, pid int) bool {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	groups, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
	for line := range bytes.Lines(groups) {
		if bytes.HasSuffix(bytes.TrimSpace(line), []byte(proxyUnit)) {
			return true
		}
	}
	its, err := os.Stat(filepath.Join(dir, "exe"))
	if err != nil {
		return false
	}
	own, err := os.Stat("/proc/self/exe")
	if err != nil || !os.SameFile(its, own) {
		return false
	}
	words, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	_, rest, _ := bytes.Cut(words, []byte{0})
	first, _, _ := bytes.Cut(rest, []byte{0})
	return string(first) == "proxy"
}
