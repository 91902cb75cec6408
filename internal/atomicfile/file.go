// Package atomicfile reads files with their identity and replaces them
// atomically, keeping owner, mode, ACL and extended attributes.
//
// It is made to be used by root on files that belong to others. A path is
// walked from / one name at a time, every folder is held open, and all that
// follows happens relative to the open folder: whoever swaps a folder for a
// symbolic link at the right moment moves nothing but his own files. Links are
// followed only where the person who made them could have written the target
// anyway (trust.go). Where a file server takes root's rights away, the owner of
// the folder does the work (owner.go). Linux only: the safety rests on its
// system calls.
package atomicfile

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// File is a file as it was read: bytes, identity and ownership. The zero Path
// means "no such question"; Absent means it was looked for and is not there.
type File struct {
	Path   string // as named
	Target string // after symlinks; equal to Path where none was followed
	Absent bool
	Data   []byte
	Mode   fs.FileMode
	UID    int
	GID    int
	Digest string // SHA-256 of Data, hex
	Links  uint64
	id     identity
	limit  int64 // up to which it was read, in bytes
}

// identity is what must not have changed between reading and replacing.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds
}

func identityOf(st *unix.Stat_t) identity {
	return identity{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}
}

// Digest returns the hex SHA-256 of data.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// DigestOrAbsent is the digest, or the word absent for a file that is not there.
func (f File) DigestOrAbsent() string {
	if f.Absent {
		return "absent"
	}
	return f.Digest
}

// same compares what was read twice at one place.
func (f File) same(now File) bool {
	return now.Absent == f.Absent && now.Digest == f.Digest && now.id == f.id
}

func changed(path string) error {
	return problem.New(path+" was changed by somebody else just now",
		"writing would throw that change away", "look at the file and start again")
}
