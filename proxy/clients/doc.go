// Package clients knows who connects: it counts the connections, holds all of them
// and each client to their limits, and reads the PROXY header with which a trusted
// proxy names its client.
package clients
