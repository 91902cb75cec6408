// Package atomicfile reads files with their identity and replaces them
// atomically, keeping owner, mode and extended attributes.
package atomicfile

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
)

// File is a file as it was read: bytes, identity and ownership. The zero Path
// means "no such question"; Absent means it was looked for and is not there.
type File struct {
	Path   string // as named
	Target string // after symlinks; equal to Path for plain files
	Absent bool
	Data   []byte
	Mode   fs.FileMode
	UID    int
	GID    int
	Digest string // SHA-256 of Data, hex
	Links  uint64
	id     identity
}

// identity is what must not have changed between reading and replacing.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds
}

// Digest returns the hex SHA-256 of data.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
