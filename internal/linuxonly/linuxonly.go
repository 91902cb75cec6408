//go:build linux

// Package linuxonly is imported by the program so that it cannot be built for a
// system other than Linux: there the go command says that build constraints
// exclude all files of a package of this name, instead of listing the epoll(7),
// renameat2(2) and capabilities(7) that are missing.
package linuxonly
