// Package ssh forwards SSH connections, unread, to the server that is up and has
// the fewest.
package ssh
