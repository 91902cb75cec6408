// Package torture drives the built binary, as root, against real things, and
// lets the worst happen to it: killed at every system call that writes, refused
// by the kernel, cut off from power, started fifty times at once, watched for
// secrets. It knows the command line only; nothing in here depends on how
// bitgate is made.
//
// Each test has a short form, which runs with all other tests, and a long one,
// which runs with BITGATE_TORTURE=1 (make torture).
package torture
