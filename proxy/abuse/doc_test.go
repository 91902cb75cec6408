// Package abuse lets the built program serve as a proxy and abuses it as the
// internet would: HTTP/2 floods, clients that dawdle, a scanner of its TLS. All
// the while an ordinary client, the canary, must get its answers, and Bitbucket
// must not notice. It knows the program by its sockets and its process only, so
// that it judges any data plane.
//
// Each test has a short form, which runs with all other tests, and a long one,
// which runs with BITGATE_TORTURE=1 (make torture).
package abuse
