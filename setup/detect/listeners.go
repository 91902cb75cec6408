package detect

import (
	"sort"

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
		byInode[inode] = l
	}
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
