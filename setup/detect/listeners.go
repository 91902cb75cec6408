package detect

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"bitgate/setup"
)

// Listeners reads the listening TCP sockets and who holds them from the
// process table (proc(5): net/tcp, net/tcp6; state 0A is LISTEN).
func Listeners(proc string) ([]setup.Listener, error) {
	byInode := map[string]setup.Listener{}
	for _, name := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(filepath.Join(proc, "net", name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		sc := bufio.NewScanner(bytes.NewReader(data))
		for sc.Scan() {
			fields := strings.Fields(sc.Text())
			if len(fields) < 10 || fields[3] != "0A" {
				continue
			}
			if addr, ok := parseProcAddr(fields[1]); ok {
				byInode[fields[9]] = setup.Listener{Address: addr.String()}
			}
		}
	}
	owners(proc, byInode)
	out := make([]setup.Listener, 0, len(byInode))
	for _, l := range byInode {
		out = append(out, l)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Address != out[j].Address {
			return out[i].Address < out[j].Address
		}
		return out[i].PID < out[j].PID
	})
	return out, nil
}

// owners fills in the process of each socket, as far as it may be seen.
func owners(proc string, byInode map[string]setup.Listener) {
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(to, "socket:[") {
			continue
		}
		inode := strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")
		l, ok := byInode[inode]
		if !ok {
			continue
		}
		dir := filepath.Dir(filepath.Dir(link))
		l.PID, _ = strconv.Atoi(filepath.Base(dir))
		comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
		l.Process = strings.TrimSpace(string(comm))
		byInode[inode] = l
	}
}

// parseProcAddr reads "0100007F:1F90": 32-bit words in host (little-endian) order.
func parseProcAddr(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(addr, uint16(n)), err == nil
}
